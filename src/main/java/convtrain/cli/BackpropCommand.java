package convtrain.cli;

import convtrain.config.StrictJson;
import convtrain.report.plot.LineChart;
import convtrain.worksheet.CsvTable;
import convtrain.worksheet.HtmlPage;
import convtrain.worksheet.RateStudy;
import convtrain.worksheet.Spreadsheet;
import convtrain.worksheet.TextReport;
import convtrain.worksheet.Worksheet;
import convtrain.worksheet.WorksheetSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows back-propagation by hand on a small network, or compares learning rates on it. */
@Command(
    name = "backprop",
    description = {
      "Shows back-propagation by hand: a network of two sigmoid layers as a diagram, every formula"
          + " of the first update with its numbers, and the table of iterations.",
      "With several learning rates: the error of each after 1, 10, 50 and 100 updates."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain backprop configs/backprop.json",
      "  convtrain backprop --steps 1000 --lr 2 --xlsx sheet.xlsx --html sheet.html",
      "  convtrain backprop --lr 0.1,0.2,0.5,0.8,1,2 --png rates.png",
      "  convtrain backprop my-network.json --all --csv iterations.csv"
    })
final class BackpropCommand implements Callable<Integer> {
  private static final Path DEFAULT = Path.of("configs", "backprop.json");

  @Parameters(
      paramLabel = "CONFIG",
      arity = "0..1",
      description = "JSON file of the network (default: configs/backprop.json).")
  private Path config;

  @Option(
      names = "--csv",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write the iterations, every digit.")
  private Path csv;

  @Option(
      names = "--xlsx",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write a spreadsheet of live formulas: change a weight, and all is computed.")
  private Path xlsx;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write one page with diagram, formulas, table and plot.")
  private Path html;

  @Option(
      names = "--png",
      paramLabel = "FILE",
      converter = OutputFile.Png.class,
      description = "Plot error against iterations.")
  private Path png;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      converter = OutputFile.Svg.class,
      description = "The same plot as a vector picture.")
  private Path svg;

  @Option(
      names = "--all",
      description = "Write out every neuron of a wide network, not the first of each layer alone.")
  private boolean all;

  private Integer steps;
  private List<Double> rates;

  @Spec private CommandSpec spec;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Updates to compute (default: the file's).")
  void setSteps(int steps) {
    if (steps < 1 || steps > 1_000_000) {
      throw new ParameterException(
          spec.commandLine(), "--steps=" + steps + "; expected 1 to 1000000");
    }
    this.steps = steps;
  }

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      split = ",",
      description = "Learning rate, or several separated by commas (default: the file's).")
  void setRates(List<Double> rates) {
    for (double lr : rates) {
      if (!(lr > 0 && lr < Double.POSITIVE_INFINITY)) {
        throw new ParameterException(
            spec.commandLine(), "--lr=" + lr + "; expected numbers above 0");
      }
    }
    if (rates.stream().distinct().count() < rates.size()) {
      throw new ParameterException(
          spec.commandLine(), "--lr=" + rates + "; expected each rate once");
    }
    this.rates = rates;
  }

  @Override
  public Integer call() throws IOException {
    WorksheetSpec file = StrictJson.read(file(), WorksheetSpec.class);
    List<Double> lr = rates == null ? List.of(file.lr()) : rates;
    Worksheet worksheet = new Worksheet(file.with(lr.get(0), steps == null ? file.steps() : steps));
    RateStudy study = new RateStudy(worksheet, lr);
    print(worksheet, study);
    write(worksheet, study);
    return ExitCode.OK;
  }

  /** The file given, or the one shipped, which the project's folder has too. */
  private Path file() {
    String home = System.getProperty("convtrain.home");
    if (config != null || home == null || Files.exists(DEFAULT)) {
      return config == null ? DEFAULT : config;
    }
    return Path.of(home).resolve(DEFAULT);
  }

  private void print(Worksheet worksheet, RateStudy study) {
    PrintWriter out = spec.commandLine().getOut();
    TextReport report = new TextReport(worksheet, all);
    if (study.rates().size() == 1) {
      out.print(report.render());
    } else {
      out.print(report.network() + "\nError E after n updates\n\n" + study.table());
    }
    out.flush();
  }

  private void write(Worksheet worksheet, RateStudy study) throws IOException {
    if (csv != null) {
      if (study.rates().size() == 1) {
        CsvTable.write(worksheet, csv);
      } else {
        CsvTable.write(study, csv);
      }
    }
    if (xlsx != null) {
      Spreadsheet.write(worksheet, study.rates(), xlsx);
    }
    if (html != null) {
      HtmlPage.write(worksheet, study, all, html);
    }
    if (png != null || svg != null) {
      LineChart chart = study.chart();
      if (png != null) {
        chart.writePng(png);
      }
      if (svg != null) {
        chart.writeSvg(svg);
      }
    }
  }
}
