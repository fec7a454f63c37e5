package convtrain.cli;

import convtrain.backend.BackendException;
import convtrain.backend.DeviceMemoryException;
import convtrain.config.ConfigException;
import convtrain.config.Grid;
import convtrain.config.RunConfig;
import convtrain.data.DataException;
import convtrain.plan.PlanException;
import convtrain.report.GroupFolder;
import convtrain.report.RunBusyException;
import convtrain.report.RunFolder;
import convtrain.report.RunFolderException;
import convtrain.report.RunResult;
import convtrain.report.RunsReport;
import convtrain.report.plot.PlotException;
import convtrain.train.SafeTensorsException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;

/**
 * Trains the runs of a group one after the other. What is done is passed over and what was cut off
 * goes on, so that starting it again in the same folder is always right.
 */
final class RunGroup {
  /** How a group ended, the worst last. */
  enum Outcome {
    /** All runs of this part are over. */
    COMPLETED,
    /** All are over, some of them diverged. */
    SOME_DIVERGED,
    /** Some are not over: another process trains them. */
    SOME_ELSEWHERE,
    /** Some could not be trained; started again they are tried again. */
    SOME_FAILED,
    /** A signal came. */
    STOPPED;

    Outcome worse(Outcome other) {
      return compareTo(other) < 0 ? other : this;
    }
  }

  private final TrainContext context;
  private final GroupFolder folder;
  private final Grid grid;

  private RunGroup(TrainContext context, GroupFolder folder, Grid grid) {
    this.context = context;
    this.folder = folder;
    this.grid = grid;
  }

  /**
   * A new group.
   *
   * @param out its folder; null for one named by run and time
   * @param join whether the folder may hold the same group already, as the parts of one do
   * @throws RunFolderException if the folder holds something else
   */
  static RunGroup create(TrainContext context, RunConfig run, Grid grid, Path out, boolean join)
      throws IOException {
    if (out != null && GroupFolder.isAt(out)) {
      GroupFolder existing = new GroupFolder(out);
      if (!join) {
        throw new RunFolderException(
            "--out %s holds other runs; go on with them (--resume %s), or give another folder"
                .formatted(out, out));
      }
      if (!existing.grid().toJson().equals(grid.toJson())) {
        throw new RunFolderException(
            "--out %s holds other runs than these (see its group.json); give another folder"
                .formatted(out));
      }
      return new RunGroup(context, existing, grid);
    }
    GroupFolder folder =
        out != null
            ? GroupFolder.at(out)
            : new GroupFolder(
                RunFolder.create(Path.of("runs"), run.name(), LocalDateTime.now()).dir());
    folder.write(grid);
    return new RunGroup(context, folder, grid);
  }

  /** A group that was begun. */
  static RunGroup existing(TrainContext context, GroupFolder folder) throws IOException {
    return new RunGroup(context, folder, folder.grid());
  }

  /**
   * Trains this part's runs, then shows what came out of all that are over. A run that cannot be
   * trained is told and left; the others go on.
   *
   * @throws RuntimeException what keeps every run from training, before the first of them
   */
  Outcome train(Shard shard) throws IOException {
    List<Grid.Member> all = grid.members();
    List<Grid.Member> mine = shard.of(all);
    context.print("%d of %,d runs, to %s", mine.size(), all.size(), folder.dir());
    if (mine.isEmpty()) {
      context.print("nothing to do: part %d of %d has none of them", shard.index(), shard.parts());
    }
    checkThatOneCanStart(mine);
    Outcome outcome;
    try {
      outcome = trainEach(mine);
    } catch (IOException | RuntimeException e) {
      reportAfter(e, all);
      throw e;
    }
    report(all);
    return outcome;
  }

  /** A device or data that no run can use is wrong usage of the command, not a failed run. */
  private void checkThatOneCanStart(List<Grid.Member> members) throws IOException {
    RuntimeException first = null;
    for (Grid.Member member : members) {
      if (folder.run(member).result() != null) {
        continue;
      }
      try {
        context.data(member.config(), DataFolder.of(member.config(), context.err()));
        return;
      } catch (BackendException | DataException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  private Outcome trainEach(List<Grid.Member> members) throws IOException {
    Outcome outcome = Outcome.COMPLETED;
    List<Grid.Member> elsewhere = new ArrayList<>();
    for (int i = 0; i < members.size() && outcome != Outcome.STOPPED; i++) {
      Grid.Member member = members.get(i);
      RunFolder place = folder.run(member);
      RunResult result = place.result();
      if (result != null) {
        outcome = outcome.worse(of(result));
      } else if (context.stop().getAsBoolean()) {
        context.print(
            "%nstopped before %s%ngo on with: convtrain train --resume %s",
            member.name(), folder.dir());
        outcome = Outcome.STOPPED;
      } else {
        context.print("%n[%d/%d] %s", i + 1, members.size(), member.name());
        Outcome one = train(member, place);
        if (one == Outcome.SOME_ELSEWHERE) {
          elsewhere.add(member);
        } else {
          outcome = outcome.worse(one);
        }
      }
    }
    return outcome.worse(elsewhere(elsewhere));
  }

  /** What became, meanwhile, of the runs that other processes train. */
  private Outcome elsewhere(List<Grid.Member> members) throws IOException {
    Outcome outcome = Outcome.COMPLETED;
    List<String> notOver = new ArrayList<>();
    for (Grid.Member member : members) {
      RunResult result = folder.run(member).result();
      if (result == null) {
        notOver.add(member.name());
        outcome = outcome.worse(Outcome.SOME_ELSEWHERE);
      } else {
        outcome = outcome.worse(of(result));
      }
    }
    if (!notOver.isEmpty()) {
      say(
          "other processes still train %d of the runs (%s); once they end, this trains what is left and shows all: convtrain train --resume %s"
              .formatted(notOver.size(), String.join("; ", notOver), folder.dir()));
    }
    return outcome;
  }

  private static Outcome of(RunResult result) {
    return result.trained() ? Outcome.COMPLETED : Outcome.SOME_DIVERGED;
  }

  private Outcome train(Grid.Member member, RunFolder place) throws IOException {
    try {
      RunResult result =
          place.hasBegun()
              ? TrainingRun.resumed(context, member.config(), place)
              : TrainingRun.fresh(context, member.config(), null, started -> place.make());
      return result == null ? Outcome.STOPPED : Outcome.COMPLETED;
    } catch (RunBusyException e) {
      context.print("%s: another process trains it; passed over", place.dir());
      return Outcome.SOME_ELSEWHERE;
    } catch (FailedException e) {
      say(e.getMessage());
      return place.result() == null ? Outcome.SOME_FAILED : Outcome.SOME_DIVERGED;
    } catch (BackendException
        | ConfigException
        | DataException
        | DeviceMemoryException
        | PlanException
        | RunFolderException
        | SafeTensorsException e) {
      say(member.name() + ": " + e.getMessage());
      return Outcome.SOME_FAILED;
    } catch (OutOfMemoryError e) {
      say(member.name() + ": " + Failures.outOfMemory(e));
      return Outcome.SOME_FAILED;
    }
  }

  private void say(String message) {
    context.err().println("convtrain: " + message);
    context.err().flush();
  }

  private void report(List<Grid.Member> all) throws IOException {
    if (all.stream().noneMatch(member -> folder.run(member).hasBegun())) {
      return;
    }
    RunsReport report = RunsReport.of(List.of(folder.dir()));
    context.print("%n%s", report.text().stripTrailing());
    folder.write(report);
    // Java's graphics cannot be started once a signal ends the virtual machine.
    if (!context.stop().getAsBoolean()) {
      try {
        folder.draw(report);
      } catch (PlotException e) {
        say(e.getMessage());
      }
    }
  }

  private void reportAfter(Exception failure, List<Grid.Member> all) {
    try {
      report(all);
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  /** The run file that its runs share. */
  String run() {
    return grid.run();
  }
}
