package convtrain.graph;

/**
 * How the images of a training batch are mixed with each other: each with the one before it, the
 * first with the last, so that x and t of sample n get a share of those of sample n - 1. The share
 * lambda that stays is drawn for each batch, see {@link MixDraw}; targets become
 *
 * <pre>
 * t = lambda t_n + (1 - lambda) t_(n-1)
 * </pre>
 */
public sealed interface MixSpec {
  /** Both parameters of the Beta distribution that lambda is drawn from. */
  Double alpha();

  /**
   * mixup (Zhang and others, 2018): {@code x = lambda x_n + (1 - lambda) x_(n-1)}.
   *
   * @param alpha default 1: lambda is uniform
   */
  record Mixup(Double alpha) implements MixSpec {
    public Mixup {
      alpha = checked(alpha);
    }
  }

  /**
   * CutMix (Yun and others, 2019): a rectangle of x_n is that of x_(n-1). It has the share {@code 1
   * - lambda} of the area, the image's proportions and its centre anywhere; what is beyond the
   * border is cut off, and lambda is then the share that really stays.
   *
   * @param alpha default 1: lambda is uniform
   */
  record Cutmix(Double alpha) implements MixSpec {
    public Cutmix {
      alpha = checked(alpha);
    }
  }

  private static Double checked(Double alpha) {
    return Check.within(0.01, 100, Check.or(alpha, 1.0), "alpha");
  }
}
