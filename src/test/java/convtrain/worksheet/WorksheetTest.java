package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The course sheet's numbers as its public copies print them. */
class WorksheetTest {
  private final Worksheet.Iteration first = Sheets.course(0.5, 1).first();

  @Test
  void forwardPassGivesTheSheetsActivationsAndError() {
    Forward forward = first.forward();
    assertThat(forward.hidden())
        .containsExactly(new double[] {.506874566764534, .510623401004964}, within(5e-16));
    assertThat(forward.output())
        .containsExactly(new double[] {.606477732206728, .630480835450635}, within(5e-16));
    assertThat(forward.error()).isCloseTo(.0141813779378917, within(5e-17));
  }

  @Test
  void firstGradientIsTheSheets() {
    assertThat(first.backward().gradients()[0]).isCloseTo(.00031699339591029, within(5e-18));
  }

  /** The slope of h2 and the weights from h2 on, written out. */
  @Test
  void gradientsOfW3AndW4TakeTheSlopeOfTheSecondHiddenNeuron() {
    double[] o = first.forward().output();
    double throughOutputs =
        (o[0] - .5) * o[0] * (1 - o[0]) * .45 + (o[1] - .5) * o[1] * (1 - o[1]) * .55;
    double a2 = first.forward().hidden()[1];
    assertThat(first.backward().gradients()[2])
        .isCloseTo(throughOutputs * a2 * (1 - a2) * .05, within(1e-17));
    assertThat(first.backward().gradients()[3])
        .isCloseTo(throughOutputs * a2 * (1 - a2) * .10, within(1e-17));
  }

  @Test
  void allWeightsAreUpdatedTogether() {
    List<Worksheet.Iteration> iterations = Sheets.course(2, 2).iterations().toList();
    assertThat(iterations).extracting(Worksheet.Iteration::n).containsExactly(0, 1, 2);
    for (int p = 0; p < 8; p++) {
      assertThat(iterations.get(1).parameters().values()[p])
          .isCloseTo(
              first.parameters().values()[p] - 2 * first.backward().gradients()[p], within(1e-16));
    }
  }

  @Test
  void namesFollowTheSheet() {
    Parameters.Sizes sizes = new Parameters.Sizes(2, 2, 2, true);
    assertThat(sizes.name(sizes.hiddenWeight(1, 0))).isEqualTo("w3");
    assertThat(sizes.name(sizes.outputWeight(0, 1))).isEqualTo("w6");
    assertThat(sizes.name(sizes.hiddenBias(1))).isEqualTo("b2");
    assertThat(sizes.name(sizes.outputBias(1))).isEqualTo("b4");
    assertThat(new Columns(sizes).names())
        .hasSize(new Columns(sizes).count())
        .startsWith("n", "w1", "w2")
        .containsSequence("w8", "b1", "b2", "b3", "b4", "net_h1", "net_h2", "a_h1", "a_h2")
        .containsSequence("a_o2", "E_o1", "E_o2", "E", "delta_o1", "delta_o2", "delta_h1")
        .endsWith("dE/db3", "dE/db4");
  }
}
