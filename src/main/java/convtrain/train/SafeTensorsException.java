package convtrain.train;

import java.nio.file.Path;

/**
 * Weights that cannot be used: a file that is not what the safetensors format allows, or tensors
 * that do not fit the network; the message says where and why.
 */
public final class SafeTensorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SafeTensorsException(String message) {
    super(message);
  }

  SafeTensorsException(Path file, String message, Throwable cause) {
    super(file + ": " + message, cause);
  }
}
