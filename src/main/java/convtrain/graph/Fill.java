package convtrain.graph;

/**
 * How a tensor's initial values are drawn.
 *
 * @param kind the distribution
 * @param value the constant, the bound b of uniform(-b, b), or the standard deviation of normal(0,
 *     s)
 */
public record Fill(Kind kind, double value) {
  /** Distributions of initial values. */
  public enum Kind {
    CONSTANT,
    UNIFORM,
    NORMAL
  }

  public static Fill constant(double value) {
    return new Fill(Kind.CONSTANT, value);
  }

  public static Fill uniform(double bound) {
    return new Fill(Kind.UNIFORM, bound);
  }

  public static Fill normal(double std) {
    return new Fill(Kind.NORMAL, std);
  }

  /**
   * Values for a tensor, the same on every machine.
   *
   * @param elements how many
   * @param seed the run's seed
   * @param tensor which tensor of the network, counted from 0
   */
  public float[] draw(int elements, long seed, int tensor) {
    float[] values = new float[elements];
    Philox random = new Philox(seed, Philox.Purpose.INIT, tensor);
    for (int i = 0; i < elements; i++) {
      values[i] =
          (float)
              switch (kind) {
                case CONSTANT -> value;
                case UNIFORM -> value * (2 * random.uniform(i) - 1);
                case NORMAL -> value * random.normal(i);
              };
    }
    return values;
  }
}
