package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.files.AtomicFile;
import convtrain.report.TextTable;
import convtrain.report.plot.LineChart;
import convtrain.train.LearningRateFinder;
import convtrain.train.LearningRateFinder.Point;
import convtrain.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Finds out which learning rates a network stands. */
@Command(
    name = "lr-find",
    description = {
      "Trains a few hundred batches while the learning rate rises from one to the next, and shows"
          + " where the loss falls fastest, where it is least and where it grows again: the range"
          + " test, for choosing train.optimizer.lr or the schedule's max_lr.",
      "",
      "Nothing is kept of the training."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain lr-find configs/mnist-19k.json",
      "  convtrain lr-find configs/mlp.json --from 1e-4 --to 1 --steps 100",
      "  convtrain lr-find configs/mnist-19k.json --png rates.png --csv rates.csv"
    })
final class LrFindCommand implements Callable<Integer> {
  private static final int ROWS = 12;

  /** Batches of which something can be said. */
  private static final int LEAST = 3;

  @Mixin private RunFileArguments runFile;

  @Option(
      names = "--from",
      paramLabel = "LR",
      defaultValue = "1e-5",
      description = "Learning rate of the first batch (default: ${DEFAULT-VALUE}).")
  private double from;

  @Option(
      names = "--to",
      paramLabel = "LR",
      defaultValue = "10",
      description = "Learning rate of the last batch (default: ${DEFAULT-VALUE}).")
  private double to;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "300",
      description = "Batches to train (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Option(
      names = "--png",
      paramLabel = "FILE",
      converter = OutputFile.Png.class,
      description = "Draw loss against learning rate.")
  private Path png;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      converter = OutputFile.Svg.class,
      description = "The same as SVG.")
  private Path svg;

  @Option(
      names = "--csv",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write every batch: lr,loss,smoothed.")
  private Path csv;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    checkUsage();
    RunConfig run = runFile.load();
    try (TrainContext context = new TrainContext(device, spec, false)) {
      Backend backend = context.backend(run);
      Trainer.Data data = context.data(run, DataFolder.of(run, context.err()));
      List<Point> points;
      try (LearningRateFinder finder =
          new LearningRateFinder(backend, run, data.train(), from, to, steps)) {
        context.stop().await();
        points = finder.find(context.stop());
      }
      if (points.size() < LEAST && context.stop().getAsBoolean()) {
        return context.stoppedEarly(
            "stopped after %d batches; %d are the least to show".formatted(points.size(), LEAST));
      }
      if (points.size() < LEAST) {
        throw new FailedException(
            "the loss grew hopelessly within %d batches; start lower (--from, now %s)"
                .formatted(points.size() + 1, from),
            null);
      }
      show(context, points);
      write(run, points);
      return context.stop().getAsBoolean() ? ExitCode.SOFTWARE : ExitCode.OK;
    }
  }

  private void checkUsage() {
    if (!(from > 0 && to > from && Double.isFinite(to))) {
      throw new ParameterException(
          spec.commandLine(), "--from=" + from + " --to=" + to + "; expected 0 < from < to");
    }
    if (steps < 10 || steps > 1_000_000) {
      throw new ParameterException(
          spec.commandLine(), "--steps=" + steps + "; expected 10 to 1000000");
    }
  }

  private static void show(TrainContext context, List<Point> points) {
    TextTable table = new TextTable().right("lr").right("loss").right("smoothed");
    for (int row = 0; row < ROWS; row++) {
      Point point = points.get(row * (points.size() - 1) / (ROWS - 1));
      table.row(rate(point.lr()), four(point.loss()), four(point.smoothed()));
    }
    context.print("%s", table.render());
    Point last = points.get(points.size() - 1);
    double lowest = LearningRateFinder.lowest(points);
    context.print("falls fastest at  %s", rate(LearningRateFinder.steepest(points)));
    context.print("least at          %s", rate(lowest));
    context.print("tested up to      %s", rate(last.lr()));
    context.print("suggested max_lr  %s (a third of where the loss is least)", rate(lowest / 3));
  }

  private void write(RunConfig run, List<Point> points) throws IOException {
    if (csv != null) {
      StringBuilder text = new StringBuilder("lr,loss,smoothed\n");
      points.forEach(p -> text.append("%s,%s,%s%n".formatted(p.lr(), p.loss(), p.smoothed())));
      AtomicFile.write(csv, text.toString());
    }
    LineChart chart =
        new LineChart(
            "Range test of " + run.name(),
            LineChart.Axis.logarithmic("learning rate"),
            LineChart.Axis.linear("loss"),
            List.of(
                series("each batch", points, Point::loss),
                series("smoothed", points, Point::smoothed)));
    if (png != null) {
      chart.writePng(png);
    }
    if (svg != null) {
      chart.writeSvg(svg);
    }
  }

  private static LineChart.Series series(
      String name, List<Point> points, ToDoubleFunction<Point> value) {
    return new LineChart.Series(
        name,
        points.stream().mapToDouble(Point::lr).toArray(),
        points.stream().mapToDouble(value).toArray());
  }

  private static String rate(double lr) {
    return String.format(Locale.ROOT, "%.3g", lr);
  }

  private static String four(double loss) {
    return String.format(Locale.ROOT, "%.4f", loss);
  }
}
