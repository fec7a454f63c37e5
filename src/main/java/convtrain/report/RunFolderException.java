package convtrain.report;

import java.nio.file.Path;

/** A run folder that cannot be used as asked; the message says what to do. Wrong usage: exit 2. */
public class RunFolderException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public RunFolderException(String message) {
    super(message);
  }

  public RunFolderException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Of a file in a run's folder that is not as convtrain wrote it. */
  static RunFolderException damaged(Path file, long line, String remedy, Throwable cause) {
    return new RunFolderException(
        "%s: damaged (line %d): this is not what convtrain wrote; %s".formatted(file, line, remedy),
        cause);
  }
}
