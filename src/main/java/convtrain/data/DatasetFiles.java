package convtrain.data;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;

/** Finds the files of a data set in a folder, under the names that MNIST gave them. */
public final class DatasetFiles {
  private static final List<String> TRAIN = List.of("train");
  private static final List<String> TEST = List.of("t10k", "test");
  private static final List<String> IMAGES =
      List.of(
          "-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx4-ubyte", "-images.idx4-ubyte");
  private static final List<String> LABELS = List.of("-labels-idx1-ubyte", "-labels.idx1-ubyte");
  private static final Set<String> FETCHED = Set.of("mnist", "fashion-mnist");

  private DatasetFiles() {}

  /**
   * Loads the training or the test samples.
   *
   * @param dataset the data set's name in the run file
   * @param dir the folder that holds its files, raw or gzip
   * @param train whether the training samples are wanted, or else the test samples
   * @param memory makes a buffer for image bytes
   */
  public static Dataset load(
      String dataset, Path dir, boolean train, IntFunction<ByteBuffer> memory) {
    List<String> prefixes = train ? TRAIN : TEST;
    String samples = train ? "training " : "test ";
    return Dataset.read(
        find(dataset, dir, samples + "images", prefixes, IMAGES),
        find(dataset, dir, samples + "labels", prefixes, LABELS),
        memory);
  }

  private static Path find(
      String dataset, Path dir, String what, List<String> prefixes, List<String> suffixes) {
    List<String> names =
        prefixes.stream()
            .flatMap(prefix -> suffixes.stream().map(suffix -> prefix + suffix))
            .toList();
    for (String name : names) {
      for (String ending : List.of("", ".gz")) {
        Path file = dir.resolve(name + ending);
        if (Files.exists(file)) {
          return file;
        }
      }
    }
    String remedy =
        FETCHED.contains(dataset)
            ? "run scripts/fetch-data " + dataset + " --dir " + dir
            : "put the files there";
    throw new DataException(
        "%s: no %s of %s%s; looked for %s, each also with .gz; %s"
            .formatted(
                dir,
                what,
                dataset,
                Files.isDirectory(dir) ? "" : " (there is no such folder)",
                String.join(", ", names),
                remedy));
  }
}
