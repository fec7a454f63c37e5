package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * Zeros around an image: a number, {@code [h, w]}, or {@code "same"} (output as large as the input;
 * an odd total puts the extra zero at the bottom and right, as in PyTorch).
 *
 * @param same whether the amounts follow from kernel and dilation
 * @param amount rows above and below, columns left and right; zero if {@code same}
 */
public record Padding(boolean same, Pair amount) {
  public static final Padding SAME = new Padding(true, Pair.of(0));
  public static final Padding NONE = new Padding(false, Pair.of(0));

  public Padding {
    amount.atLeast(0, "padding");
  }

  public static Padding of(int both) {
    return new Padding(false, Pair.of(both));
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Padding fromNumber(int both) {
    return of(both);
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Padding fromArray(int[] hw) {
    return new Padding(false, Pair.fromArray(hw));
  }

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Padding fromWord(String word) {
    return switch (word) {
      case "same" -> SAME;
      case "valid" -> NONE;
      default ->
          throw new IllegalArgumentException(
              "padding=\""
                  + word
                  + "\"; expected a number, [height, width], \"same\" or \"valid\"");
    };
  }

  @JsonValue
  Object toJson() {
    return same ? "same" : amount.toJson();
  }

  @Override
  public String toString() {
    return same ? "same" : amount.toString();
  }
}
