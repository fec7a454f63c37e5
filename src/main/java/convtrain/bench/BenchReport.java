package convtrain.bench;

import convtrain.report.GitState;
import convtrain.report.Json;
import convtrain.report.Provenance;
import convtrain.report.Spread;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * All that a benchmark found, and what it was found on and with.
 *
 * @param network the run file's name
 * @param environment where it ran
 * @param epochs timed trainings; null of a race
 * @param races to an accuracy; null of timed epochs
 */
public record BenchReport(
    String network, Environment environment, List<Epochs> epochs, List<Race> races) {
  /** Of each core, from which load on others' work lengthens the times. */
  private static final double BUSY_LOAD = 0.25;

  /**
   * Machine, software and command.
   *
   * @param git the checkout it ran from; null if none
   * @param started ISO 8601, UTC
   * @param loadAverage of the minute before the start; negative where the system does not tell
   * @param warning what makes the times doubtful; null if nothing
   */
  public record Environment(
      String convtrainVersion,
      GitState git,
      String started,
      List<String> command,
      Provenance.Machine machine,
      Provenance.Jvm jvm,
      Map<String, String> libraries,
      double loadAverage,
      String warning) {
    /** Of this process, before it starts anything. */
    public static Environment current(List<String> command, Map<String, String> libraries) {
      Provenance.Machine machine = Provenance.Machine.current();
      double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
      return new Environment(
          Provenance.version(),
          GitState.current(),
          Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
          command,
          machine,
          Provenance.Jvm.current(),
          new TreeMap<>(libraries),
          load,
          warning(load, machine.cores()));
    }

    static String warning(double load, int cores) {
      return load <= BUSY_LOAD * cores
          ? null
          : String.format(
              Locale.ROOT,
              "the machine was busy (load %.2f on %d cores): times may be too long",
              load,
              cores);
    }
  }

  /**
   * One combination's timed epochs.
   *
   * @param values of the axes
   * @param result null if it failed
   * @param failure why it failed; else null
   */
  public record Epochs(Map<String, String> values, EpochResult result, String failure) {
    public static Epochs of(Map<BenchGrid.Kind, String> values, EpochResult result) {
      return new Epochs(named(values), result, null);
    }

    public static Epochs failed(Map<BenchGrid.Kind, String> values, String failure) {
      return new Epochs(named(values), null, failure);
    }
  }

  /**
   * One combination's trainings to an accuracy, with a seed each.
   *
   * @param values of the axes but the seed
   * @param reached how many of them got there; spreads are of those alone
   * @param failures of the runs that failed, each with its seed
   */
  public record Race(
      Map<String, String> values,
      int reached,
      Spread trainingSeconds,
      Spread processSeconds,
      Spread epochs,
      List<TimeToAccuracy.Result> runs,
      List<String> failures) {
    /** Puts the runs of one combination together. */
    public static Race of(
        Map<BenchGrid.Kind, String> values,
        List<TimeToAccuracy.Result> runs,
        List<String> failures) {
      List<TimeToAccuracy.Result> there =
          runs.stream().filter(TimeToAccuracy.Result::reached).toList();
      return new Race(
          named(values),
          there.size(),
          Spread.of(there.stream().map(TimeToAccuracy.Result::trainingSeconds).toList()),
          Spread.of(there.stream().map(TimeToAccuracy.Result::processSeconds).toList()),
          Spread.of(there.stream().map(run -> (double) run.epochs()).toList()),
          List.copyOf(runs),
          List.copyOf(failures));
    }
  }

  /** {@code batch_size}, as JSON names things. */
  private static Map<String, String> named(Map<BenchGrid.Kind, String> values) {
    Map<String, String> named = new LinkedHashMap<>();
    values.forEach((kind, value) -> named.put(kind.key(), value));
    return named;
  }

  /** Indented, snake_case keys; what is not known is left out. */
  public String toJson() {
    return Json.pretty(this);
  }
}
