package convtrain.config;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import convtrain.graph.Shape;
import java.util.List;

/**
 * {@code x = (byte / 255 - mean[c]) / std[c]}; the run file writes one number for all channels, or
 * a list.
 *
 * @param mean one value, or one per channel
 * @param std one value, or one per channel; above 0
 */
public record Normalize(
    @JsonProperty(required = true)
        @JsonFormat(
            with = {
              JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY,
              JsonFormat.Feature.WRITE_SINGLE_ELEM_ARRAYS_UNWRAPPED
            })
        List<Double> mean,
    @JsonProperty(required = true)
        @JsonFormat(
            with = {
              JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY,
              JsonFormat.Feature.WRITE_SINGLE_ELEM_ARRAYS_UNWRAPPED
            })
        List<Double> std) {
  static final Normalize NONE = new Normalize(List.of(0.0), List.of(1.0));

  public Normalize {
    mean = List.copyOf(Check.given(mean, "mean"));
    std = List.copyOf(Check.given(std, "std"));
    mean.forEach(value -> Check.finite(value, "mean"));
    std.forEach(value -> Check.positive(value, "std"));
  }

  /** The mean of each channel of {@code image}. */
  public float[] means(Shape image) {
    return perChannel(mean, image, "mean");
  }

  /** The standard deviation of each channel of {@code image}. */
  public float[] stds(Shape image) {
    return perChannel(std, image, "std");
  }

  private static float[] perChannel(List<Double> values, Shape image, String key) {
    if (values.size() != 1 && (image.flat() || values.size() != image.channels())) {
      String expected = image.flat() || image.channels() == 1 ? "1" : "1 or " + image.channels();
      throw new IllegalArgumentException(
          "%s has %d values; expected %s for the input %s"
              .formatted(key, values.size(), expected, image));
    }
    float[] result = new float[image.channels()];
    for (int c = 0; c < result.length; c++) {
      result[c] = values.get(values.size() == 1 ? 0 : c).floatValue();
    }
    return result;
  }
}
