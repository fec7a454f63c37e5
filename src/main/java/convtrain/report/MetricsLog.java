package convtrain.report;

import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * {@code metrics.jsonl}: one JSON object per epoch. Each line reaches the file in one unbuffered
 * write, so that the file is whole up to the last epoch even if the process is killed.
 */
public final class MetricsLog implements TrainListener {
  private final OutputStream out;

  /**
   * @param file must not exist yet
   */
  public MetricsLog(Path file) throws IOException {
    out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  @Override
  public void epoch(EpochRecord epoch) {
    try {
      out.write((Json.line(epoch) + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException("writing metrics.jsonl: " + e.getMessage(), e);
    }
  }

  @Override
  public void finished() {
    try {
      out.close();
    } catch (IOException e) {
      throw new UncheckedIOException("closing metrics.jsonl: " + e.getMessage(), e);
    }
  }
}
