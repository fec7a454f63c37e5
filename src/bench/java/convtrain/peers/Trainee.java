package convtrain.peers;

/** A network with its optimizer in an engine, from its initial weights on. */
interface Trainee extends AutoCloseable {
  /**
   * Sums over an epoch.
   *
   * @param loss sum of the samples' losses
   * @param correct samples classified right as they were trained; NaN where the engine does not say
   */
  record Sums(double loss, double correct) {}

  /**
   * Trains on all samples once, in batches of the run's size and a last smaller one; returns when
   * the last update is done.
   *
   * @param order of the training samples
   */
  Sums epoch(int[] order);

  /** Test samples that the network as it stands classifies right. */
  long correctOfTest();

  @Override
  void close();
}
