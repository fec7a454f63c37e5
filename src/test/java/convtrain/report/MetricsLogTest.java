package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.train.EpochRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsLogTest {
  private static final EpochRecord FIRST =
      new EpochRecord(1, 20, 469, 0.03, 0.25, 0.925, 0.125, 0.9625, 12.5, 1.5, 4800, null, null);

  @TempDir Path dir;

  @Test
  void everyEpochIsInTheFileAsSoonAsItEnds() throws IOException {
    Path file = dir.resolve("metrics.jsonl");
    MetricsLog log = new MetricsLog(file, List.of());
    log.epoch(FIRST);
    String line =
        "{\"epoch\":1,\"epochs\":20,\"step\":469,\"lr\":0.03,\"train_loss\":0.25,"
            + "\"train_accuracy\":0.925,\"test_loss\":0.125,\"test_accuracy\":0.9625,"
            + "\"train_seconds\":12.5,\"test_seconds\":1.5,\"images_per_second\":4800.0}\n";
    assertThat(Files.readString(file)).isEqualTo(line);
    log.epoch(FIRST);
    assertThat(Files.readString(file)).isEqualTo(line + line);
    log.finished();
  }

  @Test
  void validationIsWrittenWhereThereIsOneAndNanAsNull() throws IOException {
    Path file = dir.resolve("metrics.jsonl");
    MetricsLog log = new MetricsLog(file, List.of());
    log.epoch(
        new EpochRecord(
            1, 1, 1, 1, 0, 0, Double.NaN, 0, 1, 1, Double.POSITIVE_INFINITY, 0.5, 0.75));
    log.finished();
    assertThat(Files.readString(file))
        .contains("\"test_loss\":null,")
        .contains("\"images_per_second\":null,")
        .endsWith("\"validation_loss\":0.5,\"validation_accuracy\":0.75}\n");
  }

  @Test
  void aResumedRunsLogBeginsWithTheEpochsThatCount() throws IOException {
    Path file =
        Files.writeString(dir.resolve("metrics.jsonl"), "an epoch that is trained again\n{");
    MetricsLog log = new MetricsLog(file, List.of(FIRST));
    log.epoch(FIRST);
    log.finished();
    List<String> lines = Files.readAllLines(file);
    assertThat(lines).hasSize(2);
    assertThat(lines.get(0)).isEqualTo(lines.get(1)).startsWith("{\"epoch\":1,");
  }

  @Test
  void halfAValidationIsRejected() {
    assertThatThrownBy(() -> new EpochRecord(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.5, null))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
