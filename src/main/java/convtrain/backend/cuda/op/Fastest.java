package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaException;
import java.util.ArrayList;
import java.util.List;

/** The choice among ways that compute the same: the tuner's, of those that run at all. */
final class Fastest {
  /** {@code CUDNN_STATUS_NOT_SUPPORTED} of cuDNN 9, and its refinements up to the next thousand. */
  private static final int NOT_SUPPORTED = 3000;

  private static final int NEXT_KIND = 4000;

  private Fastest() {}

  /** Whether a status says that the library cannot do this, rather than that something broke. */
  static boolean isRefusal(int status) {
    return status >= NOT_SUPPORTED && status < NEXT_KIND;
  }

  /**
   * Runs each candidate once, so that what a library offers but refuses drops out, and lets the
   * tuner pick among the others.
   *
   * @param key what is computed, with everything its speed depends on
   * @param names of the candidates, at least one
   * @return the index of the pick
   * @throws CudaException what broke; or the last refusal, if not one runs
   */
  static int of(CudaContext cuda, String key, List<String> names, List<Runnable> candidates) {
    List<String> runningNames = new ArrayList<>();
    List<Runnable> running = new ArrayList<>();
    CudaException refusal = null;
    for (int i = 0; i < candidates.size(); i++) {
      try {
        candidates.get(i).run();
        runningNames.add(names.get(i));
        running.add(candidates.get(i));
      } catch (CudaException e) {
        if (!isRefusal(e.status())) {
          throw e;
        }
        refusal = e;
      }
    }
    if (running.isEmpty()) {
      throw refusal;
    }
    int pick = running.size() == 1 ? 0 : cuda.tuner().pick(key, runningNames, running);
    return names.indexOf(runningNames.get(pick));
  }
}
