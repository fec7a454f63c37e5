package convtrain.cli;

import convtrain.report.RunFolderException;
import convtrain.report.RunsReport;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows what came out of many runs. */
@Command(
    name = "report",
    description =
        "Shows the results of run folders side by side, whichever machines they were made on. Runs"
            + " that differ only in their seed are put together, with mean and spread.",
    footer = {
      "",
      "Examples:",
      "  convtrain report runs/ten",
      "  convtrain report runs/*",
      "  convtrain report runs/ten --png error.png",
      "  convtrain report node1/runs node2/runs --csv > results.csv"
    })
final class ReportCommand implements Callable<Integer> {
  /** How to print. */
  private enum Format {
    TEXT,
    JSON,
    CSV
  }

  @Parameters(
      arity = "1..*",
      paramLabel = "RUNS",
      description = "Run folders, or folders that hold run folders.")
  private List<Path> folders;

  private Format format = Format.TEXT;

  @Option(names = "--json", description = "Print JSON: every experiment with all its runs.")
  void setJson(boolean wanted) {
    format = wanted ? Format.JSON : format;
  }

  @Option(names = "--csv", description = "Print CSV: a line per run.")
  void setCsv(boolean wanted) {
    format = wanted ? Format.CSV : format;
  }

  @Option(
      names = "--png",
      paramLabel = "FILE",
      converter = OutputFile.Png.class,
      description = "Also draw the error by epoch, a line per experiment.")
  private Path png;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    RunsReport report = RunsReport.of(folders);
    PrintWriter out = spec.commandLine().getOut();
    out.print(
        switch (format) {
          case TEXT -> report.text();
          case JSON -> report.json();
          case CSV -> report.csv();
        });
    out.flush();
    if (png != null) {
      LineChart chart = report.chart();
      if (chart == null) {
        throw new RunFolderException("--png " + png + ": no run completed an epoch yet");
      }
      chart.writePng(png);
    }
    return ExitCode.OK;
  }
}
