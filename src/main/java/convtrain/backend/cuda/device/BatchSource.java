package convtrain.backend.cuda.device;

import convtrain.backend.Samples;

/** One way to bring the batches of a pass to where the staging kernel reads them. */
interface BatchSource extends AutoCloseable {
  /**
   * Begins a pass; nothing of one before is under way any more.
   *
   * @param order indices of samples; not to be kept
   * @param count how many of {@code order} the pass covers
   */
  FeedLayout start(Samples samples, int[] order, int count);

  /**
   * Makes a batch of the pass readable for the step that is enqueued next; those of the batches
   * before it were enqueued already.
   *
   * @param batch 0 for the pass's first
   */
  void ready(int batch);

  /** Ends what the pass does in the background. */
  void stop();

  @Override
  void close();
}
