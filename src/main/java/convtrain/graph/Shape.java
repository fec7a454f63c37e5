package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * Shape of one sample: [C, H, W] of an image, or [F] of a flat vector (held as F x 1 x 1).
 *
 * @param channels C, or F of a flat vector
 * @param height H in pixels; 1 if flat
 * @param width W in pixels; 1 if flat
 * @param flat whether it was written, and prints, as [F]
 */
public record Shape(int channels, int height, int width, boolean flat) {
  public Shape {
    if (channels < 1 || height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "dimensions must be at least 1, found [%d, %d, %d]".formatted(channels, height, width));
    }
    if (flat && (height != 1 || width != 1)) {
      throw new IllegalArgumentException("a flat shape has no height and width");
    }
    try {
      Math.toIntExact(Math.multiplyExact(Math.multiplyExact((long) channels, height), width));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "[%d, %d, %d] has more than 2^31 - 1 elements".formatted(channels, height, width), e);
    }
  }

  public static Shape image(int channels, int height, int width) {
    return new Shape(channels, height, width, false);
  }

  public static Shape vector(int features) {
    return new Shape(features, 1, 1, true);
  }

  /** From the run file: [C, H, W] or [F]. */
  @JsonCreator
  static Shape fromDims(int[] dims) {
    return switch (dims.length) {
      case 1 -> vector(dims[0]);
      case 3 -> image(dims[0], dims[1], dims[2]);
      default ->
          throw new IllegalArgumentException(
              "expected [channels, height, width] or [features], found "
                  + dims.length
                  + " dimensions");
    };
  }

  /** [C, H, W] or [F], as in the run file. */
  @JsonValue
  public int[] dims() {
    return flat ? new int[] {channels} : new int[] {channels, height, width};
  }

  /** Elements of one sample. */
  public int elements() {
    return channels * height * width;
  }

  /** Whether it carries one value per channel, so that it can serve as a vector. */
  public boolean isVector() {
    return height == 1 && width == 1;
  }

  @Override
  public String toString() {
    return flat ? "[" + channels + "]" : "[" + channels + ", " + height + ", " + width + "]";
  }
}
