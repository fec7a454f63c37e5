package convtrain.report;

import convtrain.files.AtomicFile;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * {@code metrics.jsonl}: one JSON object per epoch. Each line reaches the file in one unbuffered
 * write, so that the file is whole up to the last epoch even if the process is killed.
 */
public final class MetricsLog implements TrainListener {
  private final Path file;
  private final OutputStream out;

  /**
   * @param file replaced if it is there: it may hold epochs that a resumed run trains again
   * @param history the epochs it begins with
   */
  public MetricsLog(Path file, List<EpochRecord> history) throws IOException {
    this.file = file;
    StringBuilder lines = new StringBuilder();
    history.forEach(epoch -> lines.append(Json.line(epoch)).append('\n'));
    AtomicFile.write(file, lines.toString());
    out = Files.newOutputStream(file, StandardOpenOption.APPEND);
  }

  @Override
  public void epoch(EpochRecord epoch) {
    try {
      out.write((Json.line(epoch) + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(new IOException(file + ": " + e.getMessage(), e));
    }
  }

  @Override
  public void finished() {
    try {
      out.close();
    } catch (IOException e) {
      throw new UncheckedIOException(new IOException(file + ": " + e.getMessage(), e));
    }
  }
}
