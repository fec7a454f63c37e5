package convtrain.graph;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Checks that several layers share; each message names the run file's key. */
public final class Check {
  private Check() {}

  public static <T> T or(T value, T fallback) {
    return value == null ? fallback : value;
  }

  public static <T> T given(T value, String key) {
    if (value == null) {
      throw new IllegalArgumentException(key + " is missing");
    }
    return value;
  }

  public static int atLeast(int minimum, int value, String key) {
    if (value < minimum) {
      throw new IllegalArgumentException(key + "=" + value + "; expected at least " + minimum);
    }
    return value;
  }

  public static double finite(double value, String key) {
    if (!Double.isFinite(value)) {
      throw new IllegalArgumentException(key + "=" + value + "; expected a finite number");
    }
    return value;
  }

  public static double positive(double value, String key) {
    if (!(finite(value, key) > 0)) {
      throw new IllegalArgumentException(key + "=" + value + "; expected a number above 0");
    }
    return value;
  }

  public static double nonNegative(double value, String key) {
    if (!(finite(value, key) >= 0)) {
      throw new IllegalArgumentException(key + "=" + value + "; expected at least 0");
    }
    return value;
  }

  public static double within(double low, double high, double value, String key) {
    if (!(value >= low && value <= high)) {
      throw new IllegalArgumentException(key + "=" + value + "; expected " + low + " to " + high);
    }
    return value;
  }

  static Shape one(List<Shape> in) {
    if (in.size() != 1) {
      throw new IllegalArgumentException("takes one input, found " + in.size());
    }
    return in.get(0);
  }

  static Shape image(List<Shape> in) {
    Shape x = one(in);
    if (x.flat()) {
      throw new IllegalArgumentException(
          "expects an image [channels, height, width], found the vector " + x);
    }
    return x;
  }

  static void several(List<String> inputs, String type) {
    if (inputs == null || inputs.size() < 2) {
      throw new IllegalArgumentException(
          type + " needs \"inputs\": the names of two or more layers");
    }
  }

  static Padding poolPadding(Padding padding, Pair kernel) {
    if (padding.same()
        || padding.amount().h() > kernel.h() / 2
        || padding.amount().w() > kernel.w() / 2) {
      throw new IllegalArgumentException(
          "padding=%s; expected at most half of kernel_size=%s".formatted(padding, kernel));
    }
    return padding;
  }

  static String divisors(String key, int value, String ofKey, int of) {
    String good =
        IntStream.rangeClosed(1, of)
            .filter(d -> of % d == 0)
            .mapToObj(Integer::toString)
            .collect(Collectors.joining(", "));
    return "%s=%d does not divide %s=%d; use one of %s".formatted(key, value, ofKey, of, good);
  }

  static String shapesByName(List<String> names, List<Shape> shapes) {
    return IntStream.range(0, shapes.size())
        .mapToObj(i -> names.get(i) + " " + shapes.get(i))
        .collect(Collectors.joining(", "));
  }

  /** The bias is uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), PyTorch's default. */
  static List<ParameterSpec> weightAndBias(
      List<Integer> dims, boolean bias, Fill fill, long fanIn) {
    ParameterSpec weight = new ParameterSpec("weight", dims, true, fill);
    return bias
        ? List.of(
            weight,
            new ParameterSpec(
                "bias", List.of(dims.get(0)), true, Fill.uniform(1 / Math.sqrt(fanIn))))
        : List.of(weight);
  }
}
