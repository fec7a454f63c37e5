package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * How each training image is varied anew in every epoch: torchvision's transforms with their names,
 * defaults and meanings, each part optional. What is drawn is told in {@link AugmentDraw}.
 *
 * <p>Affine map, crop and elastic displacement d are one map from the output's pixels to the
 * image's, so an image is interpolated once: output pixel p, counted from the centre, shows what
 * lies at {@code A^-1 (p + crop + d(p) - translation)}, bilinear between pixels' centres; outside
 * the image every byte is 0. Erasing comes last.
 *
 * @param randomAffine rotation, translation, scaling, shear
 * @param elasticTransform smooth random displacement
 * @param randomCrop padding, then a crop of the image's size
 * @param randomErasing a rectangle of one value
 */
public record AugmentSpec(
    RandomAffine randomAffine,
    ElasticTransform elasticTransform,
    RandomCrop randomCrop,
    RandomErasing randomErasing) {

  /**
   * Rotation, translation, scaling and shear about the centre, each uniform in its range.
   *
   * @param degrees of rotation, clockwise: [min, max], or d for [-d, d]
   * @param translate largest shift as share of width and of height; shifts are whole pixels
   * @param scale [min, max] of the factor
   * @param shear degrees along x: [min, max], or s for [-s, s]; four numbers add those along y
   */
  public record RandomAffine(
      @JsonProperty(required = true)
          @JsonFormat(
              with = {
                JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY,
                JsonFormat.Feature.WRITE_SINGLE_ELEM_ARRAYS_UNWRAPPED
              })
          List<Double> degrees,
      List<Double> translate,
      List<Double> scale,
      @JsonFormat(
              with = {
                JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY,
                JsonFormat.Feature.WRITE_SINGLE_ELEM_ARRAYS_UNWRAPPED
              })
          List<Double> shear) {
    private static final double LARGEST_SHEAR = 89;

    public RandomAffine {
      degrees = angles(Check.given(degrees, "degrees"), "degrees", 360);
      translate = translate == null ? null : pair(translate, "translate");
      scale = scale == null ? null : ascending(pair(scale, "scale"), "scale");
      if (translate != null) {
        translate.forEach(share -> Check.within(0, 1, share, "translate"));
      }
      if (scale != null) {
        Check.positive(scale.get(0), "scale");
      }
      if (shear != null && shear.size() == 4) {
        shear = List.copyOf(shear);
        angles(shear.subList(0, 2), "shear", LARGEST_SHEAR);
        angles(shear.subList(2, 4), "shear", LARGEST_SHEAR);
      } else if (shear != null) {
        shear = angles(shear, "shear", LARGEST_SHEAR);
      }
    }
  }

  /**
   * A displacement drawn uniformly per pixel and axis, smoothed by a Gaussian.
   *
   * <pre>
   * d = alpha / 2 G n,   n uniform in (-1, 1) per pixel and axis
   * G: weights exp(-(t / sigma)^2 / 2) for t = -radius .. radius, summing to 1, along x, then along y;
   *    radius = floor((8 sigma + 1) / 2); beyond the border n is mirrored about the outermost pixel
   * </pre>
   *
   * So d is in pixels. This is torchvision's field, which is {@code alpha / size} in units of half
   * the size, for square images.
   *
   * @param alpha strength; default 50
   * @param sigma of the Gaussian, in pixels; default 5
   */
  public record ElasticTransform(Double alpha, Double sigma) {
    public ElasticTransform {
      alpha = Check.positive(Check.or(alpha, 50.0), "alpha");
      sigma = Check.within(0.1, 1000, Check.or(sigma, 5.0), "sigma");
    }

    /** Pixels that count on each side. */
    public int radius() {
      return ((int) (8 * sigma + 1)) / 2;
    }

    /** The Gaussian's weights at distance 0 .. radius. */
    public float[] weights() {
      double[] exact = new double[radius() + 1];
      double sum = 0;
      for (int t = 0; t < exact.length; t++) {
        exact[t] = Math.exp(-0.5 * (t / sigma) * (t / sigma));
        sum += t == 0 ? exact[t] : 2 * exact[t];
      }
      float[] weights = new float[exact.length];
      for (int t = 0; t < exact.length; t++) {
        weights[t] = (float) (exact[t] / sum);
      }
      return weights;
    }
  }

  /**
   * The image on a larger field of zeros, and a crop of its own size anywhere in it.
   *
   * @param padding pixels on each side
   */
  public record RandomCrop(@JsonProperty(required = true) Integer padding) {
    public RandomCrop {
      padding = Check.atLeast(1, Check.given(padding, "padding"), "padding");
    }
  }

  /**
   * With probability p, a rectangle somewhere in the image becomes one value (Zhong and others,
   * "Random erasing data augmentation", 2017).
   *
   * @param p default 0.5
   * @param scale [min, max] of its area, as share of the image's; default [0.02, 0.33]
   * @param ratio [min, max] of height over width, uniform in its logarithm; default [0.3, 3.3]
   * @param value of the network's input there: 0 is {@code data.normalize.mean}; default 0
   */
  public record RandomErasing(Double p, List<Double> scale, List<Double> ratio, Double value) {
    public RandomErasing {
      p = Check.within(0, 1, Check.or(p, 0.5), "p");
      scale = ascending(pair(Check.or(scale, List.of(0.02, 0.33)), "scale"), "scale");
      scale.forEach(share -> Check.within(0, 1, share, "scale"));
      ratio = ascending(pair(Check.or(ratio, List.of(0.3, 3.3)), "ratio"), "ratio");
      ratio.forEach(each -> Check.within(1e-3, 1e3, each, "ratio"));
      value = Check.finite(Check.or(value, 0.0), "value");
    }
  }

  /** Whether anything is varied at all. */
  public boolean any() {
    return randomAffine != null
        || elasticTransform != null
        || randomCrop != null
        || randomErasing != null;
  }

  /** Rejects what images of this shape are too small for. */
  public void check(Shape image) {
    if (image.flat()) {
      throw new IllegalArgumentException(
          "needs images [channels, height, width], found the input " + image);
    }
    int side = Math.min(image.height(), image.width());
    if (elasticTransform != null && elasticTransform.radius() >= side) {
      throw new IllegalArgumentException(
          "elastic_transform.sigma=%s smooths over %d pixels on each side; expected at most %s for images %s"
              .formatted(
                  elasticTransform.sigma, elasticTransform.radius(), (2 * side - 2) / 8.0, image));
    }
    if (randomCrop != null && randomCrop.padding >= side) {
      throw new IllegalArgumentException(
          "random_crop.padding=%d; expected at most %d for images %s"
              .formatted(randomCrop.padding, side - 1, image));
    }
  }

  /** {@code [min, max]}, or one number of at least 0 for both ways. */
  private static List<Double> angles(List<Double> values, String key, double largest) {
    if (values.size() == 1) {
      Check.within(0, largest, values.get(0), key);
      return List.copyOf(values);
    }
    values.forEach(value -> Check.within(-largest, largest, value, key));
    if (values.size() != 2) {
      throw new IllegalArgumentException(
          "%s=%s; expected a number%s"
              .formatted(
                  key,
                  values,
                  key.equals("shear")
                      ? ", [min, max], or [min x, max x, min y, max y]"
                      : " or [min, max]"));
    }
    return ascending(List.copyOf(values), key);
  }

  private static List<Double> pair(List<Double> values, String key) {
    if (values.size() != 2) {
      throw new IllegalArgumentException(key + "=" + values + "; expected two numbers");
    }
    values.forEach(value -> Check.finite(value, key));
    return List.copyOf(values);
  }

  private static List<Double> ascending(List<Double> values, String key) {
    if (values.get(0) > values.get(1)) {
      throw new IllegalArgumentException(
          key + "=" + values + "; expected [min, max], the smaller first");
    }
    return values;
  }
}
