package convtrain.backend.cuda.op;

import convtrain.backend.DeviceException;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The choice among ways that compute the same: the tuner's, of those that run at all. */
final class Fastest {
  /**
   * What was chosen.
   *
   * @param index of the candidate
   * @param name of the candidate
   * @param refused those that a library offered and then did not run, each with its words
   */
  record Pick(int index, String name, List<String> refused) {
    /** For {@code Op.implementation}: what runs, and what might have. */
    @Override
    public String toString() {
      return refused.isEmpty() ? name : name + " (not " + String.join(", not ", refused) + ")";
    }
  }

  private Fastest() {}

  /**
   * What the tuner remembers, if it still runs. Else runs each candidate once, so that what a
   * library offers but refuses drops out, and lets the tuner pick among the others.
   *
   * @param key what is computed, with everything its speed depends on
   * @param names of the candidates, at least one
   * @throws CudaException what broke the device
   * @throws DeviceException if not one runs; says why of each
   */
  static Pick of(CudaContext cuda, String key, List<String> names, List<Runnable> candidates) {
    int known = names.size() == 1 ? -1 : cuda.tuner().known(key, names);
    if (known >= 0 && refusal(cuda, candidates.get(known)).isEmpty()) {
      return new Pick(known, names.get(known), List.of());
    }
    List<String> runningNames = new ArrayList<>();
    List<Runnable> running = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    for (int i = 0; i < candidates.size(); i++) {
      Optional<CudaException> refusal = refusal(cuda, candidates.get(i));
      if (refusal.isPresent()) {
        refused.add(names.get(i) + ": " + refusal.get().getMessage());
      } else {
        runningNames.add(names.get(i));
        running.add(candidates.get(i));
      }
    }
    if (running.isEmpty()) {
      throw new DeviceException(
          "%s: no way to compute it runs here; %s".formatted(key, String.join("; ", refused)));
    }
    int pick = running.size() == 1 ? 0 : cuda.tuner().pick(key, runningNames, running);
    String name = runningNames.get(pick);
    return new Pick(names.indexOf(name), name, List.copyOf(refused));
  }

  /**
   * Runs a candidate and hands back what its library says against it. That is a refusal only while
   * the device works on: after an illegal access, say, libraries too report that an execution
   * failed, and nothing else would run either.
   */
  private static Optional<CudaException> refusal(CudaContext cuda, Runnable candidate) {
    try {
      candidate.run();
      return Optional.empty();
    } catch (CudaException e) {
      if (!e.isRefusal()) {
        throw e;
      }
      awaitAfter(e, cuda);
      return Optional.of(e);
    }
  }

  private static void awaitAfter(CudaException refusal, CudaContext cuda) {
    try {
      cuda.synchronize();
    } catch (CudaException broken) {
      broken.addSuppressed(refusal);
      throw broken;
    }
  }
}
