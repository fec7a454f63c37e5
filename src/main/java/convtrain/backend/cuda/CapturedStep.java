package convtrain.backend.cuda;

import convtrain.backend.Backend;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaGraph;

/**
 * A step that its first run enqueues one by one, and that is captured when it runs again: by then
 * the libraries have loaded the kernels they use and made what they make at first use, which a
 * capture forbids.
 */
final class CapturedStep implements Backend.Replay {
  private final CudaContext context;
  private final Runnable enqueueStep;
  private boolean ran;
  private CudaGraph graph;

  CapturedStep(CudaContext context, Runnable enqueueStep) {
    this.context = context;
    this.enqueueStep = enqueueStep;
  }

  @Override
  public void run() {
    if (graph != null) {
      graph.launch();
    } else if (ran) {
      graph = CudaGraph.capture(context.stream(), enqueueStep);
      graph.launch();
    } else {
      enqueueStep.run();
      ran = true;
    }
  }

  @Override
  public int launches() {
    return graph == null ? 0 : graph.nodes();
  }

  @Override
  public void close() {
    if (graph != null) {
      graph.close();
    }
  }
}
