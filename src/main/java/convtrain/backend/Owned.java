package convtrain.backend;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Native resources in the order they were made; closes them in reverse, all and only once, and then
 * throws the first failure.
 */
public final class Owned implements AutoCloseable {
  private final Deque<AutoCloseable> resources = new ArrayDeque<>();

  /** Takes ownership of a resource and hands it back. */
  public <T extends AutoCloseable> T add(T resource) {
    resources.push(resource);
    return resource;
  }

  /**
   * Closes a resource after a failure, which stays the one that is told: what fails now is added to
   * it. After the first error of a device its every call fails.
   */
  public static void closeAfter(Throwable failure, AutoCloseable resource) {
    try {
      resource.close();
    } catch (Exception e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public void close() {
    RuntimeException failure = null;
    while (!resources.isEmpty()) {
      try {
        resources.pop().close();
      } catch (Exception e) {
        if (failure == null) {
          failure =
              e instanceof RuntimeException unchecked
                  ? unchecked
                  : new IllegalStateException("releasing a native resource failed", e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
