package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.testing.ReferenceNet;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The written-out formulas, the graph of linear and sigmoid layers in double precision, and
 * difference quotients: three ways to one worksheet.
 */
class ThreeWaysTest {
  private static final double TOLERANCE = 1e-12;

  static Stream<WorksheetSpec> sheets() {
    return Stream.of(
        Sheets.COURSE,
        Sheets.random(1, 1, 1, false),
        Sheets.random(2, 2, 2, true),
        Sheets.random(3, 5, 4, true),
        Sheets.random(12, 7, 3, false));
  }

  @ParameterizedTest
  @MethodSource("sheets")
  void formulasAndGraphAgreeOnEveryIteration(WorksheetSpec spec) {
    Worksheet sheet = new Worksheet(spec);
    Graph graph = new Graph(sheet);
    sheet
        .iterations()
        .forEach(
            at -> {
              assertThat(graph.values())
                  .containsExactly(at.parameters().values(), within(TOLERANCE));
              double[] y = graph.forward();
              assertThat(y).containsExactly(at.forward().output(), within(TOLERANCE));
              assertThat(graph.error(y)).isCloseTo(at.forward().error(), within(TOLERANCE));
              double[] gradients = graph.gradients(y);
              assertThat(gradients).containsExactly(at.backward().gradients(), within(TOLERANCE));
              graph.update(gradients);
            });
  }

  @ParameterizedTest
  @MethodSource("sheets")
  void formulasAndDifferenceQuotientsAgree(WorksheetSpec spec) {
    Worksheet sheet = new Worksheet(spec);
    for (Worksheet.Iteration at :
        List.of(sheet.first(), sheet.iterations().skip(spec.steps()).findFirst().orElseThrow())) {
      DifferenceQuotient quotient = new DifferenceQuotient(sheet, at.parameters());
      for (int p = 0; p < sheet.sizes().count(); p++) {
        assertThat(quotient.of(p))
            .as(sheet.sizes().name(p))
            .isCloseTo(at.backward().gradients()[p], within(TOLERANCE));
      }
    }
  }

  /** A public copy of the sheet has them wrong: with the slope of h1 in place of that of h2. */
  @ParameterizedTest
  @ValueSource(strings = {"w3", "w4"})
  void gradientsThatACopyGetsWrongAgreeInAllThreeWays(String name) {
    Worksheet sheet = new Worksheet(Sheets.COURSE);
    Worksheet.Iteration first = sheet.first();
    int p = IntStream.range(0, 8).filter(i -> sheet.sizes().name(i).equals(name)).sum();
    double byFormula = first.backward().gradients()[p];
    Graph graph = new Graph(sheet);
    assertThat(graph.gradients(graph.forward())[p]).isCloseTo(byFormula, within(TOLERANCE));
    assertThat(new DifferenceQuotient(sheet, first.parameters()).of(p))
        .isCloseTo(byFormula, within(TOLERANCE));
    double[] a = first.forward().hidden();
    double wrong = byFormula / (a[1] * (1 - a[1])) * a[0] * (1 - a[0]);
    assertThat(Math.abs(wrong - byFormula)).isGreaterThan(1e5 * TOLERANCE / 2);
  }

  /** The worksheet's network as the engine's graph. */
  private static final class Graph {
    private final Worksheet sheet;
    private Map<String, double[]> tensors;
    private ReferenceNet net;

    Graph(Worksheet sheet) {
      this.sheet = sheet;
      tensors = Sheets.tensors(sheet.sizes(), sheet.first().parameters().values());
    }

    double[] values() {
      return Sheets.values(tensors);
    }

    double[] forward() {
      net = new ReferenceNet(Sheets.graph(sheet.sizes()), tensors);
      return net.forward(sheet.inputs(), true);
    }

    /** Sum of squares / 2. */
    double error(double[] y) {
      double sum = 0;
      for (int k = 0; k < y.length; k++) {
        sum += Math.pow(sheet.targets()[k] - y[k], 2);
      }
      return sum / 2;
    }

    double[] gradients(double[] y) {
      double[] dy = new double[y.length];
      Arrays.setAll(dy, k -> y[k] - sheet.targets()[k]);
      return Sheets.values(net.backward(dy).parameters());
    }

    void update(double[] gradients) {
      double[] values = values();
      Arrays.setAll(values, p -> values[p] - sheet.lr() * gradients[p]);
      tensors = Sheets.tensors(sheet.sizes(), values);
    }
  }
}
