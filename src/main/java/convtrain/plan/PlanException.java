package convtrain.plan;

/** A failure on the device, with the layer, the direction and the device it happened on. */
public final class PlanException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  PlanException(String message, Throwable cause) {
    super(message, cause);
  }
}
