package convtrain.graph;

/**
 * An exponential moving average of a network's tensors, taken after every {@code every}-th update:
 * at the t-th averaging, t counted from 1,
 *
 * <pre>
 * d = min(decay, (1 + t) / (10 + t))
 * average = average + (1 - d) (value - average)
 * </pre>
 *
 * <p>It starts from the initial weights, which the smaller d of the first averagings soon forgets:
 * after the tenth one they make up less than 1e-4.
 *
 * <p>Running statistics are averaged like the parameters. They are means over batches that passed
 * through the weights of one moment; the averaged weights are a mean over many moments, and the
 * same mean of their statistics describes what these layers saw. A pass over the data with the
 * averaged weights would tell it exactly, at the price of an epoch's forward pass per evaluation.
 *
 * @param decay 0 to below 1; default 0.999
 * @param every updates between averagings; default 1
 */
public record EmaSpec(Double decay, Integer every) {
  public EmaSpec {
    decay = Check.or(decay, 0.999);
    if (!(decay >= 0 && decay < 1)) {
      throw new IllegalArgumentException("decay=" + decay + "; expected at least 0 and below 1");
    }
    every = Check.atLeast(1, Check.or(every, 1), "every");
  }

  /**
   * d of an averaging.
   *
   * @param t counted from 1
   */
  public double decayAt(long t) {
    return Math.min(decay, (1.0 + t) / (10.0 + t));
  }
}
