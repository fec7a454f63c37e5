package convtrain.plan;

/**
 * A plan that cannot be made or run: the layer, the direction and the device where it failed; or
 * what memory lacks and what would fit.
 */
public final class PlanException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  PlanException(String message, Throwable cause) {
    super(message, cause);
  }
}
