package convtrain.data;

import convtrain.graph.Philox;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A data set in two disjoint parts that together hold every sample, each in the original order.
 *
 * @param train what is trained on
 * @param validation what is held out
 */
public record Split(Dataset train, Dataset validation) {
  /**
   * Holds out {@code round(fraction * n)} of the n samples of each class, drawn by the seed.
   *
   * @param fraction above 0 and below 1
   * @param seed the run's seed; the same seed gives the same split
   */
  public static Split stratified(Dataset data, double fraction, long seed) {
    if (!(fraction > 0 && fraction < 1)) {
      throw new IllegalArgumentException(
          "validation_split=" + fraction + "; expected above 0 and below 1");
    }
    boolean[] held = new boolean[data.size()];
    int[] all = IntStream.range(0, data.size()).toArray();
    for (int label : Arrays.stream(all).map(data::label).distinct().toArray()) {
      int[] ofClass = Arrays.stream(all).filter(i -> data.label(i) == label).toArray();
      new Philox(seed, Philox.Purpose.SPLIT, label).shuffle(ofClass);
      int count = (int) Math.round(fraction * ofClass.length);
      for (int i = 0; i < count; i++) {
        held[ofClass[i]] = true;
      }
    }
    int[] validation = Arrays.stream(all).filter(i -> held[i]).toArray();
    if (validation.length == 0 || validation.length == data.size()) {
      throw new DataException(
          "%s: validation_split=%s would hold out %d of %d samples; expected some, but not all"
              .formatted(data, fraction, validation.length, data.size()));
    }
    int[] train = Arrays.stream(all).filter(i -> !held[i]).toArray();
    return new Split(data.subset(train), data.subset(validation));
  }
}
