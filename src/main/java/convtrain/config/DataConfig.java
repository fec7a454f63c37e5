package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.AugmentSpec;
import convtrain.graph.Check;
import convtrain.graph.DataPlacement;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The run file's {@code data}.
 *
 * @param dataset name of the data set, {@code mnist}
 * @param dir folder of its IDX files; by default {@code data/<dataset>}
 * @param normalize how bytes become the network's input; by default values from 0 to 1
 * @param shuffle whether each epoch has its own order; default true
 * @param limit train on this many samples at most; null for all
 * @param validationSplit share of the training samples kept for validation, 0 to below 1; default 0
 * @param dropLast whether an epoch's last, smaller batch is left out; default false
 * @param placement where a GPU has the bytes: stream, resident or auto (the default)
 * @param augment how training images are varied; null, as without parts: not at all
 */
public record DataConfig(
    @JsonProperty(required = true) String dataset,
    String dir,
    Normalize normalize,
    Boolean shuffle,
    Integer limit,
    Double validationSplit,
    Boolean dropLast,
    DataPlacement placement,
    AugmentSpec augment) {
  public DataConfig {
    dataset = RunConfig.fileName(Check.given(dataset, "dataset"), "dataset");
    dir = Check.or(dir, "data/" + dataset);
    if (dir.isBlank() || dir.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("dir=\"" + dir + "\"; expected a folder");
    }
    normalize = Check.or(normalize, Normalize.NONE);
    shuffle = Check.or(shuffle, true);
    limit = limit == null ? null : Check.atLeast(1, limit, "limit");
    validationSplit = Check.or(validationSplit, 0.0);
    if (!(validationSplit >= 0 && validationSplit < 1)) {
      throw new IllegalArgumentException(
          "validation_split=" + validationSplit + "; expected at least 0 and below 1");
    }
    dropLast = Check.or(dropLast, false);
    placement = Check.or(placement, DataPlacement.AUTO);
    augment = augment != null && augment.any() ? augment : null;
  }

  /**
   * The folder to read. A relative {@code dir} counts from the working directory; only if it is not
   * there and the project's own folder (system property {@code convtrain.home}) has one of that
   * name, from the project's. So shipped run files find their data wherever they are started.
   */
  public Path resolveDir() {
    Path here = Path.of(dir);
    String home = System.getProperty("convtrain.home");
    if (home == null || Files.isDirectory(here)) {
      return here;
    }
    Path there = Path.of(home).resolve(dir);
    return Files.isDirectory(there) ? there : here;
  }
}
