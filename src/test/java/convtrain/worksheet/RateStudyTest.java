package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.report.plot.LineChart;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RateStudyTest {
  /** Errors of the course sheet after 1, 10, 50 and 100 updates, as far as they are printed. */
  @ParameterizedTest
  @CsvSource({
    "0.1, .0141001, .0133869, .0105910, .0078474",
    "0.2, .0140190, .0126302, .0078410, .0042289",
    "0.5, .0137771, .0105746, .0030667, 6.14262e-4",
    "0.8, .0135370, .0088146, .0011593, 8.52819e-5",
    "1.0, .0133779, .0077891, 5.99191e-4, 2.25626e-5",
    "2.0, .0125953, .0040924, 2.02723e-5, 2.54680e-8"
  })
  void errorsEqualTheSheetsToEveryPrintedDigit(
      double lr, double after1, double after10, double after50, double after100) {
    RateStudy study = new RateStudy(Sheets.course(0.5, 100), List.of(lr));
    List<String> row = study.rows().get(0);
    assertThat(row.subList(1, 5).stream().map(Double::valueOf))
        .containsExactly(after1, after10, after50, after100);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 1 7", "50, 1 10 50", "100, 1 10 50 100", "200, 1 10 50 100 200"})
  void tableEndsWithTheLastStep(int steps, String expected) {
    RateStudy study = new RateStudy(Sheets.course(0.5, steps), List.of(0.1, 2.0));
    assertThat(study.tableSteps())
        .containsExactly(Arrays.stream(expected.split(" ")).mapToInt(Integer::parseInt).toArray());
    assertThat(study.table().lines()).hasSize(4);
  }

  @Test
  void chartShowsTheFirstAndTheLastErrorOfAnyRun() {
    for (int steps : new int[] {1, 100, 5003}) {
      RateStudy study = new RateStudy(Sheets.course(0.5, steps), List.of(0.5));
      LineChart.Series line = study.chart().series().get(0);
      assertThat(line.x()).hasSizeLessThanOrEqualTo(801).startsWith(0).endsWith(steps);
      assertThat(line.y()).startsWith(study.errors(0)).endsWith(study.errors(steps));
    }
  }
}
