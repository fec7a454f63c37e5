package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.data.DataException;
import convtrain.data.ImageFile;
import convtrain.data.ImageFile.Picture;
import convtrain.graph.Shape;
import convtrain.report.PredictionReport;
import convtrain.train.TrainedModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says what a trained model sees in pictures. */
@Command(
    name = "predict",
    description = {
      "Says what a trained model sees in pictures: class and probability.",
      "",
      "A picture of another size is scaled. One that is dark on light is inverted if the model's"
          + " data is light on dark: one channel and data.normalize.mean below 0.5, as MNIST. What"
          + " cannot be read is told, and the exit code is then 2."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain predict runs/short digit.png",
      "  convtrain predict runs/short a.png b.jpg --top 3",
      "  convtrain predict runs/short data/mnist/t10k-images-idx3-ubyte --json"
    })
final class PredictCommand implements Callable<Integer> {
  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = "A run folder, or the model.safetensors of one.")
  private Path model;

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "FILE",
      description = "Pictures (PNG, JPEG, BMP, GIF, TIFF) or IDX files of images.")
  private List<Path> files;

  private int top = 1;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Option(
      names = "--top",
      paramLabel = "K",
      description = "Tell the K likeliest classes (default: 1).")
  void setTop(int top) {
    if (top < 1) {
      throw new ParameterException(spec.commandLine(), "--top=" + top + "; expected at least 1");
    }
    this.top = top;
  }

  @Override
  public Integer call() throws IOException {
    try (Backend backend = device.open();
        TrainedModel trained = TrainedModel.open(backend, model)) {
      Shape input = trained.graph().input();
      List<Picture> pictures = new ArrayList<>();
      boolean allRead = true;
      for (Path file : files) {
        try {
          pictures.addAll(ImageFile.read(file, input, isLightOnDark(trained.run())));
        } catch (DataException e) {
          spec.commandLine().getErr().println("convtrain: " + e.getMessage());
          allRead = false;
        }
      }
      if (pictures.isEmpty()) {
        return ExitCode.USAGE;
      }
      double[][] probabilities =
          trained.evaluator().predict(pictures.stream().map(Picture::pixels).toList());
      PredictionReport report = new PredictionReport(input, top);
      for (int i = 0; i < probabilities.length; i++) {
        Picture picture = pictures.get(i);
        report.add(picture.source(), probabilities[i], picture.scaled(), picture.inverted());
      }
      PrintWriter out = spec.commandLine().getOut();
      out.print(json ? report.json() : report.text());
      out.flush();
      return allRead ? ExitCode.OK : ExitCode.USAGE;
    }
  }

  /** Ink of a grey data set is light if most of its area is dark: its mean is below one half. */
  private static boolean isLightOnDark(RunConfig run) {
    Shape input = run.model().input();
    return input.channels() == 1 && run.data().normalize().means(input)[0] < 0.5;
  }
}
