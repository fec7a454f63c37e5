package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.DataConfig;
import convtrain.config.RunConfig;
import convtrain.data.DataException;
import convtrain.data.Dataset;
import convtrain.data.DatasetFiles;
import convtrain.graph.ModelGraph;
import convtrain.graph.Shape;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** The folder with a run's data, and its samples as the run's network takes them. */
final class DataFolder {
  /** Of grey images, of colours, and of those with opacity. */
  private static final Set<Integer> CHANNELS = Set.of(1, 3, 4);

  private final RunConfig run;
  private final ModelGraph graph;
  private final Path dir;

  private DataFolder(RunConfig run, Path dir) {
    this.run = run;
    this.graph = ModelGraph.of(run.model());
    this.dir = dir;
  }

  /** A folder that the user named. */
  static DataFolder at(Path dir, RunConfig run) {
    return new DataFolder(run, dir);
  }

  /**
   * The run file's folder. If it holds none of the data and scripts/fetch-data knows the data set,
   * the script brings it: a relative folder that is nowhere yet is made in the project's own.
   *
   * @param log receives what the script says
   * @throws FailedException if the script could not bring the data
   */
  static DataFolder of(RunConfig run, PrintWriter log) throws IOException {
    DataConfig data = run.data();
    String home = System.getProperty("convtrain.home");
    Path dir = data.resolveDir();
    if (home != null && DatasetFiles.isFetchable(data.dataset()) && !DatasetFiles.anyIn(dir)) {
      dir = Files.isDirectory(dir) ? dir : Path.of(home).resolve(dir);
      fetch(Path.of(home, "scripts", "fetch-data"), data.dataset(), dir, log);
    }
    return new DataFolder(run, dir);
  }

  /** The run file's folder, or null if it holds none of the data; nothing is fetched. */
  static DataFolder ifThere(RunConfig run) {
    Path dir = run.data().resolveDir();
    return DatasetFiles.anyIn(dir) ? new DataFolder(run, dir) : null;
  }

  private static void fetch(Path script, String dataset, Path dir, PrintWriter log)
      throws IOException {
    log.println("no data in " + dir + ": fetching " + dataset + "...");
    Process process =
        new ProcessBuilder(script.toString(), dataset, "--dir", dir.toString())
            .redirectErrorStream(true)
            .start();
    try (BufferedReader lines = process.inputReader()) {
      lines.lines().forEach(log::println);
      int status = process.waitFor();
      if (status != 0) {
        throw new FailedException(
            "%s ended with exit code %d; put the files of %s into %s by hand, or set data.dir"
                .formatted(script, status, dataset, dir),
            null);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while fetching " + dataset);
    } finally {
      process.destroy();
    }
  }

  Path dir() {
    return dir;
  }

  /**
   * Loads the training or the test samples and checks that the network can take them.
   *
   * @param train whether the training samples are wanted, or else the test samples
   */
  Dataset load(boolean train, Backend backend) {
    Dataset samples = DatasetFiles.load(run.data().dataset(), dir, train, backend::hostBuffer);
    check(samples);
    return samples;
  }

  /** Checks that the network can take the samples. */
  void check(Dataset samples) {
    if (!samples.shape().equals(graph.input())) {
      checkChannelsFirst(samples);
      throw new DataException(
          "%s: its images are %s, but model.input is %s; set model.input to %s or give other data (data.dir)"
              .formatted(samples.files().get(0), samples.shape(), graph.input(), samples.shape()));
    }
    samples.checkClasses(graph.classes());
  }

  /** Of no image a few columns and many channels are likely: these are rows of pixels. */
  private static void checkChannelsFirst(Dataset samples) {
    Shape found = samples.shape();
    if (CHANNELS.contains(found.width()) && !CHANNELS.contains(found.channels())) {
      throw new DataException(
          "%s: its images are %s; expected [channels, height, width], and here the channels seem to stand last: write them as [N, C, H, W], in NumPy images.transpose(0, 3, 1, 2)"
              .formatted(samples.files().get(0), found));
    }
  }
}
