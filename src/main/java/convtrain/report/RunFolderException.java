package convtrain.report;

/** A run folder that cannot be used as asked; the message says what to do. Wrong usage: exit 2. */
public class RunFolderException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RunFolderException(String message) {
    super(message);
  }

  public RunFolderException(String message, Throwable cause) {
    super(message, cause);
  }
}
