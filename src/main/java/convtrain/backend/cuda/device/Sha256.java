package convtrain.backend.cuda.device;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** The digest that names and checks what is kept on disk. */
final class Sha256 {
  static final int BYTES = 32;

  private Sha256() {}

  static MessageDigest start() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java runtime has SHA-256", e);
    }
  }

  static byte[] of(byte[] bytes) {
    return start().digest(bytes);
  }
}
