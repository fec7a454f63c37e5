package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The spreadsheet's formulas; {@link LibreOfficeTest} has a real program compute them. */
class SpreadsheetTest {
  @TempDir private Path folder;

  static Stream<WorksheetSpec> sheets() {
    return Stream.of(
        Sheets.COURSE.with(0.5, 120), Sheets.random(2, 2, 2, true), Sheets.random(12, 9, 3, true));
  }

  @ParameterizedTest
  @MethodSource("sheets")
  void formulasComputeTheWorksheetsNumbers(WorksheetSpec spec) throws IOException {
    Worksheet worksheet = new Worksheet(spec);
    assertHolds(Xlsx.read(write(worksheet, List.of(spec.lr()))), "Iterations", worksheet);
  }

  @Test
  void eachLearningRateHasItsSheet() throws IOException {
    Xlsx book = Xlsx.read(write(Sheets.course(0.5, 10), List.of(0.1, 2.0)));
    assertHolds(book, "Iterations 1", Sheets.course(0.1, 10));
    assertHolds(book, "Iterations 2", Sheets.course(2, 10));
    assertThat(book.value(Spreadsheet.NETWORK, 4, 2))
        .isCloseTo(Sheets.course(2, 10).errors()[10], within(1e-15));
  }

  @Test
  void changedNumbersChangeAllThatFollows() throws IOException {
    Path file = write(Sheets.course(0.5, 10), List.of(0.5));
    Path changed = folder.resolve("changed.xlsx");
    Xlsx.change(file, changed, Map.of("B4", 1.5, "C8", 0.9, "B11", 0.2, "D16", -0.75));
    WorksheetSpec spec =
        new WorksheetSpec(
            List.of(0.05, 0.9),
            List.of(0.2, 0.5),
            List.of(
                List.of(List.of(0.15, 0.20), List.of(-0.75, 0.30)), Sheets.COURSE.weights().get(1)),
            null,
            1.5,
            10);
    assertHolds(Xlsx.read(changed), "Iterations", new Worksheet(spec));
  }

  @Test
  void noNumberOfTheIterationsIsFixedButTheirCount() throws IOException {
    Xlsx book = Xlsx.read(write(Sheets.course(0.5, 3), List.of(0.5)));
    Columns columns = new Columns(Sheets.course(0.5, 3).sizes());
    for (int row = 2; row <= 5; row++) {
      for (int column = 1; column < columns.count(); column++) {
        assertThat(book.formula("Iterations!" + IterationFormulas.letters(column) + row))
            .isNotNull();
      }
    }
    assertThat(book.formula("Iterations!D3")).isEqualTo("D2-Network!$B$4*AA2");
  }

  @Test
  void whatNoSheetCanHoldIsRefused() {
    Worksheet wide = new Worksheet(Sheets.random(200, 50, 10, false));
    assertThatThrownBy(() -> write(wide, List.of(0.5)))
        .isInstanceOf(WorksheetException.class)
        .hasMessage(
            "--xlsx: this worksheet needs 21,192 columns and a spreadsheet holds 16,384; --csv has no such limit");
    assertThatThrownBy(() -> write(Sheets.course(0.5, 1_048_575), List.of(0.5)))
        .hasMessageContaining("needs 1,048,577 rows");
    assertThatThrownBy(() -> write(new Worksheet(Sheets.random(1, 1, 900, false)), List.of(0.5)))
        .hasMessageContaining("characters in a formula");
  }

  private Path write(Worksheet worksheet, List<Double> rates) throws IOException {
    Path file = folder.resolve("sheet.xlsx");
    Spreadsheet.write(worksheet, rates, file);
    return file;
  }

  private static void assertHolds(Xlsx book, String sheet, Worksheet worksheet) {
    Columns columns = new Columns(worksheet.sizes());
    for (Iterator<Worksheet.Iteration> rows = worksheet.iterations().iterator(); rows.hasNext(); ) {
      Worksheet.Iteration at = rows.next();
      double[] expected = columns.values(at);
      for (int column = 0; column < expected.length; column++) {
        assertThat(book.value(sheet, at.n() + 1, column))
            .as("%s of n=%d", columns.names().get(column), at.n())
            .isCloseTo(expected[column], within(1e-12));
      }
    }
  }
}
