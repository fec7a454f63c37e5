package convtrain.cli;

/** Something outside failed; the message is complete. Exit code 1. */
final class FailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  FailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
