package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** LibreOffice opens the spreadsheet, computes it and says what it found. */
class LibreOfficeTest {
  private static final double TOLERANCE = 1e-12;

  /** Comma-separated UTF-8 of every sheet, numbers with all their digits. */
  private static final String CSV =
      "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1";

  @TempDir private static Path folder;

  @BeforeAll
  static void needsLibreOffice() {
    boolean found =
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(dir -> Files.isExecutable(Path.of(dir, "soffice")));
    assumeTrue(found, "no soffice on the PATH (Debian: apt install libreoffice-calc-nogui)");
  }

  @Test
  void computesTheWorksheetsNumbers() throws Exception {
    Path course = folder.resolve("course.xlsx");
    Spreadsheet.write(Sheets.course(0.5, 100), List.of(0.5, 2.0), course);
    Path wide = folder.resolve("wide.xlsx");
    Worksheet random = new Worksheet(Sheets.random(12, 9, 3, true));
    Spreadsheet.write(random, List.of(0.7), wide);
    Path changed = folder.resolve("changed.xlsx");
    Xlsx.change(course, changed, Map.of("B4", 1.5, "D16", -0.75));
    convert(course, wide, changed);

    assertHolds("course-Iterations 1.csv", Sheets.course(0.5, 100));
    assertHolds("course-Iterations 2.csv", Sheets.course(2, 100));
    assertHolds("wide-Iterations.csv", random);
    WorksheetSpec spec =
        new WorksheetSpec(
            Sheets.COURSE.inputs(),
            Sheets.COURSE.targets(),
            List.of(
                List.of(List.of(0.15, 0.20), List.of(-0.75, 0.30)), Sheets.COURSE.weights().get(1)),
            null,
            1.5,
            100);
    assertHolds("changed-Iterations 1.csv", new Worksheet(spec));
  }

  private static void convert(Path... files) throws IOException, InterruptedException {
    Path log = folder.resolve("log");
    Process office =
        new ProcessBuilder(
                Stream.concat(
                        Stream.of(
                            "soffice",
                            "-env:UserInstallation=" + folder.resolve("profile").toUri(),
                            "--headless",
                            "--convert-to",
                            CSV,
                            "--outdir",
                            folder.toString()),
                        Stream.of(files).map(Path::toString))
                    .toList())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    boolean ended = office.waitFor(5, TimeUnit.MINUTES);
    office.destroyForcibly();
    assertThat(ended && office.exitValue() == 0).as(Files.readString(log)).isTrue();
  }

  private static void assertHolds(String csv, Worksheet worksheet) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve(csv));
    Columns columns = new Columns(worksheet.sizes());
    assertThat(lines).hasSize(worksheet.steps() + 2);
    assertThat(lines.get(0)).isEqualTo(String.join(",", columns.names()));
    worksheet
        .iterations()
        .forEach(
            at ->
                assertThat(
                        Stream.of(lines.get(at.n() + 1).split(","))
                            .mapToDouble(Double::parseDouble)
                            .toArray())
                    .as("n=" + at.n())
                    .containsExactly(columns.values(at), within(TOLERANCE)));
  }
}
