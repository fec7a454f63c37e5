package convtrain.worksheet;

/** What was asked for cannot be made of this worksheet; the message says why and what can. */
public final class WorksheetException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  WorksheetException(String message) {
    super(message);
  }
}
