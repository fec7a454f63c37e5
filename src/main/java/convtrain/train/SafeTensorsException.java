package convtrain.train;

import java.nio.file.Path;

/** A file that is not what the safetensors format allows; the message says where and why. */
public final class SafeTensorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SafeTensorsException(Path file, String message, Throwable cause) {
    super(file + ": " + message, cause);
  }
}
