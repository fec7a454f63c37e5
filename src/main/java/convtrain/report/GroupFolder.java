package convtrain.report;

import convtrain.config.Grid;
import convtrain.files.AtomicFile;
import convtrain.report.plot.LineChart;
import convtrain.report.plot.PlotException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The folder of several runs that belong together: {@code group.json} says what they share and in
 * what they differ, each run has a folder of its own below.
 */
public record GroupFolder(Path dir) {
  private static final String FILE = "group.json";

  /** Whether a folder is one. */
  public static boolean isAt(Path dir) {
    return Files.isRegularFile(file(dir));
  }

  /**
   * Takes the folder named with {@code --out}, making it if it is not there. Another part of the
   * same group may just have made it one.
   *
   * @throws RunFolderException if it holds a run or cannot be made
   */
  public static GroupFolder at(Path dir) {
    return new GroupFolder(RunFolder.withoutRun(dir).dir());
  }

  /** What makes a folder one. */
  static Path file(Path dir) {
    return dir.resolve(FILE);
  }

  /** What its runs are. */
  public Grid grid() throws IOException {
    Path file = file(dir);
    return Grid.parse(file.toString(), Files.readString(file));
  }

  /** Makes the folder's file, unless it is there already. */
  public void write(Grid grid) throws IOException {
    if (!isAt(dir)) {
      AtomicFile.write(file(dir), grid.toJson());
    }
  }

  /** Where a run of it lies. */
  public RunFolder run(Grid.Member member) {
    return new RunFolder(dir.resolve(member.name()));
  }

  /** Writes what came out of all: summary.txt and summary.json. */
  public void write(RunsReport report) throws IOException {
    AtomicFile.write(dir.resolve("summary.txt"), report.text());
    AtomicFile.write(dir.resolve("summary.json"), report.json());
  }

  /**
   * Draws summary.png, of runs that completed an epoch.
   *
   * @throws PlotException if pictures cannot be drawn here
   */
  public void draw(RunsReport report) throws IOException {
    LineChart chart = report.chart();
    if (chart != null) {
      chart.writePng(dir.resolve("summary.png"));
    }
  }
}
