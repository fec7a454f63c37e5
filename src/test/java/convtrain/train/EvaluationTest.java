package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class EvaluationTest {
  private final Evaluation evaluation =
      new Evaluation("test", 0.25, new long[][] {{8, 2, 0}, {1, 4, 0}, {3, 2, 0}});

  @Test
  void ratiosFollowFromTheConfusionMatrix() {
    assertThat(evaluation.samples()).isEqualTo(20);
    assertThat(evaluation.correct()).isEqualTo(12);
    assertThat(evaluation.accuracy()).isEqualTo(0.6);
    assertThat(evaluation.support(0)).isEqualTo(10);
    assertThat(evaluation.predicted(0)).isEqualTo(12);
    assertThat(evaluation.precision(0)).isEqualTo(8 / 12.0);
    assertThat(evaluation.recall(0)).isEqualTo(0.8);
    assertThat(evaluation.f1(0)).isEqualTo(16 / 22.0);
  }

  @Test
  void aClassNeverPredictedScoresZero() {
    assertThat(evaluation.precision(2)).isZero();
    assertThat(evaluation.recall(2)).isZero();
    assertThat(evaluation.f1(2)).isZero();
  }

  @Test
  void theMatrixIsCopiedInAndOut() {
    long[][] given = {{1, 0}, {0, 1}};
    Evaluation copy = new Evaluation("test", 0, given);
    given[0][0] = 99;
    copy.confusion()[1][1] = 99;
    assertThat(copy.samples()).isEqualTo(2);
  }

  @Test
  void aMatrixThatIsNotSquareIsRejected() {
    assertThatThrownBy(() -> new Evaluation("test", 0, new long[][] {{1, 0}, {1}}))
        .hasMessage("confusion row 1 has 1 columns; expected 2, one per class");
  }
}
