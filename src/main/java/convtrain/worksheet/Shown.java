package convtrain.worksheet;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * What of a network is written out: everything of a small one, the first of each kind of a wide
 * one.
 *
 * @param all whether to write out everything however wide it is
 */
record Shown(Parameters.Sizes sizes, boolean all) {
  private static final int SMALL = 24;
  private static final int TERMS = 6;

  /** Whether every parameter is written out. */
  boolean everything() {
    return all || sizes.count() <= SMALL;
  }

  /** Which neurons of a layer. */
  int[] neurons(int count) {
    return first(count, 1);
  }

  /** Which weights of a neuron. */
  int[] weights(int count) {
    return first(count, 2);
  }

  /** Which outputs a table has a column for. */
  int[] columns(int count) {
    return first(count, 3);
  }

  /** t0 + t1 + ... */
  String sum(int count, IntFunction<String> term) {
    List<String> terms = new ArrayList<>();
    if (all || count <= TERMS) {
      IntStream.range(0, count).mapToObj(term).forEach(terms::add);
    } else {
      terms.addAll(
          List.of(term.apply(0), term.apply(1), term.apply(2), "...", term.apply(count - 1)));
    }
    return String.join(" + ", terms);
  }

  private int[] first(int count, int few) {
    return IntStream.range(0, everything() ? count : Math.min(count, few)).toArray();
  }
}
