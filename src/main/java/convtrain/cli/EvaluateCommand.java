package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.ConfigException;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.report.EvaluationReport;
import convtrain.train.Evaluation;
import convtrain.train.TrainedModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Scores a trained model on a data set. */
@Command(
    name = "evaluate",
    description =
        "Scores a trained model on labelled images: loss, accuracy, per-class table, confusion"
            + " matrix.",
    footer = {
      "",
      "Examples:",
      "  convtrain evaluate runs/short",
      "  convtrain evaluate runs/short/model.safetensors --split train",
      "  convtrain evaluate runs/short --data data/mine --json",
      "  convtrain evaluate runs/varied --tta 8"
    })
final class EvaluateCommand implements Callable<Integer> {
  /** Which samples of the folder, in the words of the command line. */
  private enum Samples {
    test,
    train,
    validation
  }

  @Parameters(paramLabel = "MODEL", description = "A run folder, or the model.safetensors of one.")
  private Path model;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Folder of the IDX files (default: the data that the model was trained on).")
  private Path data;

  @Option(
      names = "--split",
      paramLabel = "SPLIT",
      description =
          "${COMPLETION-CANDIDATES} (default: test); train is all training images of the folder,"
              + " without regard to data.limit and data.validation_split; validation is those that"
              + " data.validation_split held out of the run's training.")
  private Samples split = Samples.test;

  private int variations;

  @Option(
      names = "--tta",
      paramLabel = "N",
      description =
          "Test-time augmentation: score the mean of what the network says of each image and of N"
              + " variations of it, drawn by the run's data.augment (default: 0, none).")
  void setVariations(int variations) {
    if (variations < 0 || variations > 1000) {
      throw new ParameterException(
          spec.commandLine(), "--tta=" + variations + "; expected 0 to 1000");
    }
    this.variations = variations;
  }

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (Backend backend = device.open();
        TrainedModel trained = TrainedModel.open(backend, model)) {
      DataFolder folder =
          data == null
              ? DataFolder.of(trained.run(), spec.commandLine().getErr())
              : DataFolder.at(data, trained.run());
      Evaluation evaluation = evaluation(trained, samples(trained.run(), folder, backend));
      EvaluationReport report =
          new EvaluationReport(
              new EvaluationReport.Subject(
                  trained.file().toString(),
                  folder.dir().toString(),
                  variations,
                  trained.run().train().loss().type()),
              evaluation);
      out.print(json ? report.json() : report.text());
      out.flush();
      return ExitCode.OK;
    }
  }

  private Dataset samples(RunConfig run, DataFolder folder, Backend backend) {
    if (split == Samples.validation && run.data().validationSplit() == 0) {
      throw new ConfigException(
          "--split=validation: %s was trained without data.validation_split, so nothing was held out; give --split=test or --split=train"
              .formatted(model));
    }
    Dataset samples = folder.load(split != Samples.test, backend);
    return split == Samples.validation
        ? TrainContext.split(run, samples, null).validation()
        : samples;
  }

  private Evaluation evaluation(TrainedModel trained, Dataset data) {
    if (variations == 0) {
      return trained.evaluator().evaluate(split.name(), data);
    }
    if (!trained.variesImages()) {
      throw new ConfigException(
          "--tta=%d: %s was trained without data.augment, which would say how to vary images; leave --tta out"
              .formatted(variations, model));
    }
    return trained.evaluateVaried(split.name(), data, variations);
  }
}
