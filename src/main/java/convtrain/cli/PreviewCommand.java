package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.files.AtomicFile;
import convtrain.report.TextTable;
import convtrain.report.plot.ImageGrid;
import convtrain.train.Preview;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Draws what the network will see of a run's training images. */
@Command(
    name = "preview",
    description = {
      "Draws what the network will see: a row for each of an epoch's first training images, left"
          + " as it is, then as it and the epochs after it show it (data.augment). The same"
          + " run file always gives the same picture. What train.mixup and train.cutmix do to the"
          + " samples of a batch is not drawn."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain preview configs/mnist-19k.json",
      "  convtrain preview configs/mlp.json --set data.augment.random_crop.padding=3",
      "  convtrain preview my.json --out seen.png --rows 4 --columns 16 --epoch 20"
    })
final class PreviewCommand implements Callable<Integer> {
  private static final int MOST = 100;

  @Mixin private RunFileArguments runFile;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      converter = OutputFile.Png.class,
      description = "The PNG file (default: <name>-preview.png).")
  private Path out;

  private int rows = 8;
  private int columns = 10;
  private int epoch = 1;

  @Spec private CommandSpec spec;

  @Option(names = "--rows", paramLabel = "N", description = "Images (default: 8).")
  void setRows(int rows) {
    this.rows = within("--rows", rows, MOST);
  }

  @Option(
      names = "--columns",
      paramLabel = "N",
      description = "Epochs in which each is shown (default: 10).")
  void setColumns(int columns) {
    this.columns = within("--columns", columns, MOST);
  }

  @Option(names = "--epoch", paramLabel = "N", description = "The first epoch (default: 1).")
  void setEpoch(int epoch) {
    this.epoch = within("--epoch", epoch, Integer.MAX_VALUE - MOST);
  }

  private int within(String option, int value, int most) {
    if (value < 1 || value > most) {
      throw new ParameterException(
          spec.commandLine(),
          String.format(Locale.ROOT, "%s=%d; expected 1 to %d", option, value, most));
    }
    return value;
  }

  @Override
  public Integer call() throws IOException {
    RunConfig run = runFile.load();
    Path file = file(run);
    try (Backend backend = Backends.cpu()) {
      DataFolder folder = DataFolder.of(run, spec.commandLine().getErr());
      Dataset train = TrainContext.split(run, folder.load(true, backend), null).train();
      Preview preview = new Preview(backend, run, train, first(run, train));
      ImageGrid grid = new ImageGrid(train.shape(), preview.chosen().length, columns + 1);
      grid.column(0, preview.plain());
      for (int column = 0; column < columns; column++) {
        grid.column(column + 1, preview.inEpoch(epoch + column));
      }
      grid.write(file);
      print(run, folder, preview, file, grid);
      return ExitCode.OK;
    }
  }

  private Path file(RunConfig run) throws IOException {
    if (out != null) {
      return out;
    }
    Path file = Path.of(run.name() + "-preview.png");
    String obstacle = AtomicFile.obstacle(file);
    if (obstacle != null) {
      throw new ParameterException(
          spec.commandLine(), "\"" + file + "\" " + obstacle + " (--out FILE)");
    }
    return file;
  }

  /** The first images of the epoch, in its order. */
  private int[] first(RunConfig run, Dataset train) {
    int[] order = new Sampler(train, 1, run.data().shuffle(), false, run.seed()).order(epoch);
    return Arrays.copyOf(order, Math.min(rows, order.length));
  }

  private void print(RunConfig run, DataFolder folder, Preview preview, Path file, ImageGrid grid) {
    PrintWriter text = spec.commandLine().getOut();
    boolean varied = run.data().augment() != null;
    text.println(run.name() + ": training images of " + folder.dir());
    text.println(
        varied
            ? "columns: as it is, then in epochs %d to %d".formatted(epoch, epoch + columns - 1)
            : "columns: all the same, since the run file has no data.augment");
    TextTable table = new TextTable().right("row").right("image").right("class");
    int[] labels = preview.labels();
    for (int i = 0; i < labels.length; i++) {
      table.row(i + 1, preview.chosen()[i], labels[i]);
    }
    text.print(table.render());
    text.println(file + ": " + grid.size() + " pixels");
    text.flush();
  }
}
