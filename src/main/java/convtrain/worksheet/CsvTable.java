package convtrain.worksheet;

import convtrain.files.AtomicFile;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.stream.Collectors;

/** Iterations as comma-separated values, every digit of a double kept. */
public final class CsvTable {
  private CsvTable() {}

  /** A row per iteration, a column for each number in it. */
  public static void write(Worksheet worksheet, Path file) throws IOException {
    Columns columns = new Columns(worksheet.sizes());
    write(
        file,
        out -> {
          out.write(String.join(",", columns.names()) + "\n");
          for (Iterator<Worksheet.Iteration> rows = worksheet.iterations().iterator();
              rows.hasNext(); ) {
            Worksheet.Iteration at = rows.next();
            double[] values = columns.values(at);
            out.write(at.n() + "," + join(Arrays.copyOfRange(values, 1, values.length)) + "\n");
          }
        });
  }

  /** A row per iteration, a column of E for each learning rate. */
  public static void write(RateStudy study, Path file) throws IOException {
    write(
        file,
        out -> {
          out.write(
              "n,"
                  + study.rates().stream()
                      .map(lr -> "E at lr " + Numbers.of(lr))
                      .collect(Collectors.joining(","))
                  + "\n");
          for (int n = 0; n <= study.steps(); n++) {
            out.write(n + "," + join(study.errors(n)) + "\n");
          }
        });
  }

  private interface Rows {
    void writeTo(Writer out) throws IOException;
  }

  private static void write(Path file, Rows rows) throws IOException {
    AtomicFile.write(
        file,
        channel -> {
          Writer out = new BufferedWriter(Channels.newWriter(channel, StandardCharsets.UTF_8));
          rows.writeTo(out);
          out.flush();
        });
  }

  private static String join(double[] values) {
    return Arrays.stream(values).mapToObj(Double::toString).collect(Collectors.joining(","));
  }
}
