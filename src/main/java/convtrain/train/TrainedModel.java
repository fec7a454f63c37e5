package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.plan.RunState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A model that a run left behind: its file holds the weights and, in the metadata, the run file
 * that made them, so that it stands alone.
 */
public final class TrainedModel implements AutoCloseable {
  /** The metadata's key for the resolved run file. */
  public static final String RUN = "convtrain.run";

  /** The metadata's key for how far the weights were trained, see {@link Trainer#position}. */
  public static final String TRAINED_TO = "convtrain.trained_to";

  private static final String FILE_NAME = "model.safetensors";

  private final Backend backend;
  private final Path file;
  private final RunConfig run;
  private final ModelGraph graph;
  private final Owned owned = new Owned();
  private final RunState state;
  private final Evaluator evaluator;

  private TrainedModel(Backend backend, Path file, SafeTensors content) {
    this.backend = backend;
    this.file = file;
    run = RunConfigLoader.parse(file + " (" + RUN + ")", content.metadata().get(RUN));
    graph = ModelGraph.of(run.model());
    state = owned.add(new RunState(backend, graph, Evaluator.batchSize(graph), null, 1));
    try {
      Weights.load(file, content, state);
      evaluator = owned.add(new Evaluator(backend, graph, state, Scoring.of(run, graph)));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /**
   * Opens a model.
   *
   * @param model a run folder or a model file
   * @throws SafeTensorsException if there is none, it is malformed, or was not written by a run
   */
  public static TrainedModel open(Backend backend, Path model) throws IOException {
    Path file = fileOf(model);
    SafeTensors content = SafeTensors.read(file);
    if (!content.metadata().containsKey(RUN)) {
      throw new SafeTensorsException(
          file,
          "its metadata has no \"%s\", so its network is unknown; expected a model written by convtrain train"
              .formatted(RUN),
          null);
    }
    return new TrainedModel(backend, file, content);
  }

  /**
   * The file of a model.
   *
   * @param model a run folder or a model file
   * @throws SafeTensorsException if it is a folder without a model
   */
  public static Path fileOf(Path model) {
    if (!Files.isDirectory(model)) {
      return model;
    }
    Path file = model.resolve(FILE_NAME);
    if (!Files.exists(file)) {
      throw new SafeTensorsException(
          model, "holds no " + FILE_NAME + "; a run folder gets it when its training ends", null);
    }
    return file;
  }

  /** The model's file. */
  public Path file() {
    return file;
  }

  /** The run that made it. */
  public RunConfig run() {
    return run;
  }

  public ModelGraph graph() {
    return graph;
  }

  /** Scores and predicts with it. */
  public Evaluator evaluator() {
    return evaluator;
  }

  /** Whether {@link #evaluateVaried} has something to vary images by. */
  public boolean variesImages() {
    return run.data().augment() != null;
  }

  /**
   * Test-time augmentation: scores the mean of what the network says of each image as it is and of
   * so many variations of it, drawn as in training from the run's seed.
   *
   * @param split name of the data, for the report
   * @param variations of each image, at least 1
   */
  public Evaluation evaluateVaried(String split, Dataset data, int variations) {
    DatasetSamples samples = new DatasetSamples(data);
    double[][] sums = evaluator.outputs(samples, 1);
    try (Evaluator varied = new Evaluator(backend, graph, state, Scoring.varied(run, graph))) {
      for (int view = 1; view <= variations; view++) {
        add(varied.outputs(samples, view), sums);
      }
    }
    return scored(split, data, sums, variations + 1);
  }

  private boolean squares() {
    return run.train().loss() instanceof LossSpec.Mse;
  }

  /** Adds outputs, or probabilities by their logarithms. */
  private void add(double[][] terms, double[][] sums) {
    for (int i = 0; i < sums.length; i++) {
      for (int c = 0; c < sums[i].length; c++) {
        sums[i][c] = squares() ? sums[i][c] + terms[i][c] : logOfSum(sums[i][c], terms[i][c]);
      }
    }
  }

  /** log(exp(a) + exp(b)), finite where both underflow. */
  private static double logOfSum(double a, double b) {
    double max = Math.max(a, b);
    return Double.isInfinite(max) ? max : max + Math.log1p(Math.exp(Math.min(a, b) - max));
  }

  /**
   * @param sums over so many views, as {@link #add} makes them
   */
  private Evaluation scored(String split, Dataset data, double[][] sums, int views) {
    long[][] confusion = new long[graph.classes()][graph.classes()];
    double factor = 1.0 / views;
    double loss = 0;
    for (int i = 0; i < sums.length; i++) {
      int label = data.label(i);
      int best = 0;
      double squares = 0;
      for (int c = 0; c < sums[i].length; c++) {
        double departure = sums[i][c] * factor - (c == label ? 1 : 0);
        squares += departure * departure;
        best = sums[i][c] > sums[i][best] ? c : best;
      }
      confusion[label][best]++;
      loss += squares() ? squares / sums[i].length : Math.log(views) - sums[i][label];
    }
    return new Evaluation(split, loss / sums.length, confusion);
  }

  @Override
  public void close() {
    owned.close();
  }
}
