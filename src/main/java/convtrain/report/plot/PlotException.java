package convtrain.report.plot;

/** A chart that cannot be drawn on this machine; the message says what it lacks. */
public final class PlotException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  PlotException(String message, Throwable cause) {
    super(message, cause);
  }
}
