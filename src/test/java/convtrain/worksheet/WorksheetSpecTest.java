package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.config.ConfigException;
import convtrain.config.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every way to get a worksheet's file wrong is told with its line. */
class WorksheetSpecTest {
  private static final String TEXT =
      """
      {
        "inputs": [0.05, 0.10],
        "targets": [0.5],
        "weights": [
          [[0.15, 0.20],
           [0.25, 0.30]],
          [[0.40, 0.45]]
        ],
        "biases": [[1, 2],
          [3]]
      }
      """;

  @TempDir private Path folder;

  @Test
  void absentKeysHaveTheirDefaults() throws IOException {
    WorksheetSpec spec = read(TEXT);
    assertThat(spec.lr()).isEqualTo(0.5);
    assertThat(spec.steps()).isEqualTo(100);
    assertThat(spec.parameters().values()).containsExactly(.15, .2, .25, .3, .4, .45, 1, 2, 3);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          "inputs": [0.05, 0.10] | "inputs": [] | 2: inputs is empty; expected at least one number
          "inputs": [0.05, 0.10], | `` | 1: inputs is missing; expected a list of numbers
          "inputs": [0.05, 0.10] | "inputs": 1 | 2: inputs: found 1 (an integer), expected a list of numbers
          "inputs": [0.05, 0.10] | "inputs": [1, "x"] | 2: inputs[1]: found "x" (a string), expected a number
          "inputs": [0.05, 0.10] | "inputs": [1, 1e999] | 2: inputs[1]=Infinity; expected a finite number
          "targets" | "target" | 3: target: unknown key; known keys: targets, biases, lr, weights, inputs, steps
          [0.25, 0.30] | [0.25] | 6: weights[0][1] has 1 numbers; expected 2, one per input
          [[0.40, 0.45]] | [[0.40]] | 7: weights[1][0] has 1 numbers; expected 2, one per hidden neuron
          [[0.40, 0.45]] | [[0.4, 0.5], [0.4, 0.5]] | 7: weights[1] has 2 rows; expected 1, one per target
          [[0.40, 0.45]] | [[0.40, null]] | 7: weights[1][0][1]: found null, expected a value
          [[0.40, 0.45]] | [0.40, 0.45] | 7: weights[1][0]: found 0.4 (a number), expected a list of numbers
          ,\\n    [[0.40, 0.45]] | `` | 4: weights has 1 matrices; expected 2, the hidden and the output layer's
          [3] | [3, 4] | 10: biases[1] has 2 numbers; expected 1, one per output neuron
          "biases" | "lr": 0, "biases" | 9: lr=0.0; expected a number above 0
          "biases" | "steps": 0, "biases" | 9: steps=0; expected at least 1
          "biases" | "steps": 1.5, "biases" | 9: steps: found 1.5 (a number), expected an integer
          """)
  void mistakesAreToldWithTheirLine(String part, String wrong, String message) {
    String text = TEXT.replace(part.replace("\\n", "\n"), wrong == null ? "" : wrong);
    assertThat(text).isNotEqualTo(TEXT);
    assertThatThrownBy(() -> read(text))
        .isInstanceOf(ConfigException.class)
        .hasMessage(folder.resolve("net.json") + ":" + message);
  }

  private WorksheetSpec read(String text) throws IOException {
    return StrictJson.read(
        Files.writeString(folder.resolve("net.json"), text), WorksheetSpec.class);
  }
}
