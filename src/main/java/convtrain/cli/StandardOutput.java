package convtrain.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.Charset;

/**
 * What commands print to. It keeps why the first write failed: Java's print streams swallow that,
 * and to fill the disk would look like success.
 */
final class StandardOutput extends OutputStream {
  private final OutputStream out = new FileOutputStream(FileDescriptor.out);
  private IOException failure;

  private StandardOutput() {}

  /** One that takes the place of {@link System#out}. */
  static StandardOutput install() {
    StandardOutput output = new StandardOutput();
    // The terminal's, where Java found out what it is.
    String charset = System.getProperty("sun.stdout.encoding", Charset.defaultCharset().name());
    System.setOut(
        new PrintStream(new BufferedOutputStream(output), true, Charset.forName(charset)));
    return output;
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public synchronized void write(byte[] bytes, int offset, int count) throws IOException {
    try {
      out.write(bytes, offset, count);
    } catch (IOException e) {
      failure = failure == null ? e : failure;
      throw e;
    }
  }

  /**
   * Why what was printed did not arrive; null if it did, or if its reader wanted no more of it, as
   * {@code head} does.
   */
  synchronized String failure() {
    return failure == null || "Broken pipe".equals(failure.getMessage())
        ? null
        : failure.getMessage();
  }
}
