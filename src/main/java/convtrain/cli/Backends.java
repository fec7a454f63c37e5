package convtrain.cli;

import convtrain.backend.Backend;
import java.util.ServiceLoader;

/** Finds what can train here. */
final class Backends {
  private Backends() {}

  /**
   * Starts the backend that the class path brings.
   *
   * @param threads CPU threads to use; 0 is all cores
   */
  static Backend open(int threads) {
    return ServiceLoader.load(Backend.Provider.class)
        .findFirst()
        .orElseThrow(
            () ->
                new FailedException("no backend is on the class path; build Convtrain anew", null))
        .open(threads);
  }
}
