package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.ModelSummary;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.train.Evaluation;
import convtrain.train.MemoryNeeds;
import java.util.List;
import org.junit.jupiter.api.Test;

class TablesTest {
  private static final EvaluationReport.Subject SUBJECT =
      new EvaluationReport.Subject("run/model.safetensors", "data/mnist", 8, "cross_entropy");

  private static LayerSpec conv(String name, List<String> inputs) {
    return new LayerSpec.Conv2d(
        name, inputs, 4, Pair.of(3), null, Padding.of(1), null, null, false, null);
  }

  private static ModelSummary summary(LayerSpec... layers) {
    return ModelSummary.of(ModelGraph.of(new ModelSpec(Shape.image(1, 28, 28), List.of(layers))));
  }

  @Test
  void theSummaryOfAChainNeedsNoInputs() {
    ModelSummary chain =
        summary(
            conv(null, null),
            new LayerSpec.BatchNorm2d(null, null, null, null, null),
            new LayerSpec.GlobalAvgPool(null, null),
            new LayerSpec.Linear(null, null, 10, null, null));
    assertThat(SummaryTable.render(chain, "tiny"))
        .isEqualTo(
            """
            tiny

            layer (type)                        output shape  parameters    MACs  receptive field
            -------------------------------------------------------------------------------------
            conv2d1 (conv2d)                    [4, 28, 28]           36  28,224            3 x 3
            batch_norm2d1 (batch_norm2d)        [4, 28, 28]            8       0            3 x 3
            global_avg_pool1 (global_avg_pool)  [4, 1, 1]              0       0          28 x 28
            linear1 (linear)                    [10]                  50      40          28 x 28

            trainable parameters: 94
            buffers: 8
            forward pass: 28,264 MACs = 0.057 MFLOP per image (2 FLOP per MAC)
            training step: 84,792 MACs = 0.170 MFLOP per image (3 x forward: output, input gradient, weight gradient)
            """);
  }

  @Test
  void memoryIsShownPartByPartAndInAll() {
    MemoryNeeds needs =
        new MemoryNeeds(
            List.of(
                new MemoryNeeds.Part("activations", 5 << 20),
                new MemoryNeeds.Part("parameters", 2048),
                new MemoryNeeds.Part("little", 12)));
    assertThat(SummaryTable.memory(needs, "a device"))
        .isEqualTo(
            """
            memory on a device
            activations: 5.0 MiB
            parameters: 2.0 KiB
            little: 12 B
            memory in all: 5.0 MiB
            """);
  }

  @Test
  void aBranchNamesItsInputs() {
    String text =
        SummaryTable.render(
            summary(conv("a", null), conv("b", null), new LayerSpec.Add("sum", List.of("a", "b"))),
            "branch");
    assertThat(text)
        .contains(
            """
            layer (type)  inputs  output shape  parameters     MACs  receptive field
            ------------------------------------------------------------------------
            a (conv2d)            [4, 28, 28]           36   28,224            3 x 3
            b (conv2d)            [4, 28, 28]          144  112,896            5 x 5
            sum (add)     a, b    [4, 28, 28]            0        0            5 x 5
            """);
  }

  @Test
  void anEvaluationAsTextHasScoresAndTheConfusionMatrix() {
    Evaluation evaluation = new Evaluation("test", 0.25, new long[][] {{1500, 500}, {0, 2000}});
    assertThat(new EvaluationReport(SUBJECT, evaluation, List.of("cat", "dog")).text())
        .isEqualTo(
            """
            run/model.safetensors on data/mnist, each image and 8 variations of it (--tta 8)
            test: 4,000 samples, loss 0.2500, accuracy 87.50% (500 wrong)

            class  samples  precision  recall      F1
            -----------------------------------------
            cat      2,000     1.0000  0.7500  0.8571
            dog      2,000     0.8000  1.0000  0.8889
            mean               0.9000  0.8750  0.8730

            true \\ predicted   cat   dog
            ----------------------------
            cat               1500   500
            dog                  0  2000
            """);
  }

  @Test
  void anEvaluationAsJsonHasTheSameNumbers() throws Exception {
    Evaluation evaluation = new Evaluation("test", 0.25, new long[][] {{3, 1}, {0, 4}});
    assertThat(new ObjectMapper().readTree(new EvaluationReport(SUBJECT, evaluation).json()))
        .isEqualTo(
            new ObjectMapper()
                .readTree(
                    """
                    {"model": "run/model.safetensors", "data": "data/mnist", "tta": 8,
                     "loss_type": "cross_entropy", "split": "test", "samples": 8, "loss": 0.25, "accuracy": 0.875,
                     "classes": [
                       {"name": "0", "samples": 4, "precision": 1.0, "recall": 0.75,
                        "f1": 0.8571428571428571},
                       {"name": "1", "samples": 4, "precision": 0.8, "recall": 1.0,
                        "f1": 0.8888888888888888}],
                     "confusion": [[3, 1], [0, 4]]}
                    """));
  }

  @Test
  void anUndefinedScoreIsShownAsSuchAndLeftOutOfTheMean() throws Exception {
    Evaluation evaluation =
        new Evaluation("test", 0.5, new long[][] {{4, 0, 0}, {3, 0, 1}, {0, 0, 0}});
    EvaluationReport report = new EvaluationReport(SUBJECT, evaluation);
    assertThat(report.text())
        .contains(
            """
            class  samples  precision  recall      F1
            -----------------------------------------
            0            4     0.5714  1.0000  0.7273
            1            4          -  0.0000  0.0000
            2            0     0.0000       -  0.0000
            mean               0.2857  0.5000  0.2424
            """);
    JsonNode classes = new ObjectMapper().readTree(report.json()).get("classes");
    assertThat(classes.get(1).get("precision").isNull()).isTrue();
    assertThat(classes.get(2).get("recall").isNull()).isTrue();
    assertThat(classes.get(2).get("f1").doubleValue()).isZero();
  }

  @Test
  void namesMustMatchTheClasses() {
    Evaluation evaluation = new Evaluation("test", 0.25, new long[][] {{3}});
    assertThatThrownBy(() -> new EvaluationReport(SUBJECT, evaluation, List.of("a", "b")))
        .hasMessage("2 class names for 1 classes");
  }

  @Test
  void aRowOfTheWrongLengthIsRejected() {
    assertThatThrownBy(() -> new TextTable().left("a").row("1", "2"))
        .hasMessage("a row of 2 cells in a table of 1 columns");
  }
}
