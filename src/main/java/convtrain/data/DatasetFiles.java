package convtrain.data;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Stream;

/** Finds the files of a data set in a folder, under the names that MNIST gave them. */
public final class DatasetFiles {
  private static final List<String> TRAIN = List.of("train");
  private static final List<String> TEST = List.of("t10k", "test");
  private static final List<String> IMAGES =
      List.of(
          "-images-idx3-ubyte", "-images.idx3-ubyte", "-images-idx4-ubyte", "-images.idx4-ubyte");
  private static final List<String> LABELS = List.of("-labels-idx1-ubyte", "-labels.idx1-ubyte");
  private static final Set<String> FETCHED = Set.of("mnist", "fashion-mnist");

  private static final String NO_TEST =
      "; where there is no test set, split some of the training images and their labels off into"
          + " t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (data.validation_split takes its"
          + " samples from the training images and does not stand for it)";

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

  /** Whether scripts/fetch-data can bring the data set. */
  public static boolean isFetchable(String dataset) {
    return FETCHED.contains(dataset);
  }

  /** Whether the folder holds a file under one of the names that {@link #load} looks for. */
  public static boolean anyIn(Path dir) {
    return Stream.of(TRAIN, TEST)
        .flatMap(prefixes -> Stream.of(IMAGES, LABELS).map(suffixes -> names(prefixes, suffixes)))
        .anyMatch(names -> first(dir, names).isPresent());
  }

  private static List<String> names(List<String> prefixes, List<String> suffixes) {
    return prefixes.stream()
        .flatMap(prefix -> suffixes.stream().map(suffix -> prefix + suffix))
        .toList();
  }

  private static Optional<Path> first(Path dir, List<String> names) {
    return names.stream()
        .flatMap(name -> Stream.of(dir.resolve(name), dir.resolve(name + ".gz")))
        .filter(file -> Files.exists(file))
        .findFirst();
  }

  private static Path find(
      String dataset, Path dir, String what, List<String> prefixes, List<String> suffixes) {
    return first(dir, names(prefixes, suffixes))
        .orElseThrow(() -> missing(dataset, dir, what, prefixes, suffixes));
  }

  private static DataException missing(
      String dataset, Path dir, String what, List<String> prefixes, List<String> suffixes) {
    String remedy =
        FETCHED.contains(dataset)
            ? "run scripts/fetch-data " + dataset + " --dir " + dir
            : "put the files there" + (prefixes.equals(TEST) ? NO_TEST : "");
    return new DataException(
        "%s: no %s of %s%s; looked for %s, each also with .gz; %s"
            .formatted(
                dir,
                what,
                dataset,
                Files.isDirectory(dir) ? "" : " (there is no such folder)",
                String.join(", ", names(prefixes, suffixes)),
                remedy));
  }
}
