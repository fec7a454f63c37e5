package convtrain.config;

/**
 * Something wrong in what the user wrote. The message is complete: where (file and line, or the
 * override), which JSON path, what was found, what was expected.
 */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ConfigException(String message) {
    super(message);
  }

  ConfigException(String message, Throwable cause) {
    super(message, cause);
  }
}
