package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** A height and a width, written in the run file as one number for both or as {@code [h, w]}. */
public record Pair(int h, int w) {
  public static Pair of(int both) {
    return new Pair(both, both);
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Pair fromNumber(int both) {
    return of(both);
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Pair fromArray(int[] hw) {
    if (hw.length != 2) {
      throw new IllegalArgumentException(
          "expected a number or [height, width], found " + hw.length + " numbers");
    }
    return new Pair(hw[0], hw[1]);
  }

  @JsonValue
  Object toJson() {
    return h == w ? (Object) h : new int[] {h, w};
  }

  /** Rejects components below {@code minimum}, naming the run file's key. */
  Pair atLeast(int minimum, String key) {
    if (h < minimum || w < minimum) {
      throw new IllegalArgumentException(key + "=" + this + "; expected at least " + minimum);
    }
    return this;
  }

  @Override
  public String toString() {
    return h == w ? Integer.toString(h) : "[" + h + ", " + w + "]";
  }
}
