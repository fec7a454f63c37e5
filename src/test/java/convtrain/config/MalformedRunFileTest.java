package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every way to get a run file wrong has one exact message. */
class MalformedRunFileTest {
  @TempDir private Path folder;

  /** One block of malformed.txt. */
  record Case(String replaced, String replacement, String[] overrides, String message) {
    static Case parse(String block) {
      return new Case(
          lines(block, "-").collect(Collectors.joining("\n")),
          lines(block, "+").collect(Collectors.joining("\n")),
          lines(block, "=").toArray(String[]::new),
          lines(block, "!").collect(Collectors.joining("\n")));
    }

    private static Stream<String> lines(String block, String mark) {
      return block
          .lines()
          .filter(line -> line.startsWith(mark))
          .map(line -> line.substring(Math.min(2, line.length())));
    }

    String text() {
      assertThat(RunFile.TEXT).contains(replaced);
      return RunFile.TEXT.replace(replaced, replacement);
    }

    @Override
    public String toString() {
      return replacement + String.join(" ", overrides) + " -> " + message;
    }
  }

  static Stream<Case> cases() {
    return Arrays.stream(RunFile.resource("/config/malformed.txt").split("\n\n+"))
        .filter(block -> !block.startsWith("#"))
        .map(Case::parse);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void messageSaysWhereWhatWasFoundAndWhatWasExpected(Case wrong) {
    assertThat(messageFor(wrong.text(), wrong.overrides())).isEqualTo(wrong.message());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ''        | run.json: the file is empty; expected a JSON object { ... }
          ' \n '    | run.json: the file is empty; expected a JSON object { ... }
          []        | run.json:1: found a list, expected an object { ... }
          5         | run.json:1: found 5 (an integer), expected an object { ... }
          null      | run.json:1: found null, expected an object { ... }
          '"x"'     | run.json:1: found "x" (a string), expected an object { ... }
          {}        | run.json:1: data is missing; expected an object
          {         | run.json:1:2: the text ends too early: a bracket or quote is still open
          """)
  void whatIsNoObjectIsRefused(String text, String message) {
    assertThat(messageFor(text)).isEqualTo(message);
  }

  @Test
  void bracketsNestedWithoutEndAreRefused() {
    assertThat(messageFor("[".repeat(100_000))).isEqualTo("run.json: brackets are nested too deep");
  }

  @Test
  void missingFileAndFolderAreNamed() {
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> RunConfigLoader.load(folder.resolve("none.json"), List.of()))
        .withMessage(folder.resolve("none.json") + ": there is no such file");
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> RunConfigLoader.load(folder, List.of()))
        .withMessage(folder + ": is a folder; expected a JSON file");
  }

  @Test
  void bytesThatAreNotUtf8AreRefused() throws IOException {
    Path file = folder.resolve("run.json");
    Files.write(file, RunFile.TEXT.getBytes(StandardCharsets.UTF_16));
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> RunConfigLoader.load(file, List.of()))
        .withMessage(file + ": is not UTF-8 text; expected a JSON file");
  }

  @Test
  void byteOrderMarkOfAnEditorIsAccepted() {
    assertThat(RunFile.load(folder, "\uFEFF" + RunFile.TEXT))
        .isEqualTo(RunFile.load(folder, RunFile.TEXT));
  }

  @Test
  void errorsInAModelFileNameThatFileAndLine() throws IOException {
    String text =
        RunFile.TEXT.replaceFirst("(?s)\"model\": .*?]},", "\"model\": \"models/net.json\",");
    Path model = Files.createDirectory(folder.resolve("models")).resolve("net.json");
    Files.writeString(model, "{\"input\": [3, 8, 8],\n \"layers\": [\n  {\"type\": \"linaer\"}]}");
    assertThat(messageFor(text))
        .startsWith(
            "models/net.json:3: model.layers[0].type: unknown layer type \"linaer\"; known types:"
                + " linear, ");
    Files.writeString(model, "{\"input\": [3, 8, 8],\n \"layers\" [");
    assertThat(messageFor(text))
        .isEqualTo("models/net.json:2:11: found '[', expected a colon between key and value");
  }

  @Test
  void whereAnObjectIsExpectedOneIsShown() {
    assertThat(messageFor(RunFile.TEXT, "train.checkpoint_every=2"))
        .endsWith(
            "train.checkpoint_every: found 2 (an integer), expected an object, such as"
                + " {\"epochs\": 2} or {\"steps\": 10}");
    assertThat(messageFor(RunFile.TEXT, "train.ema=0.9"))
        .endsWith("expected an object, such as {\"decay\": 0.99}");
    assertThat(messageFor(RunFile.TEXT, "train.optimizer=adam"))
        .endsWith(
            "expected an object with a \"type\", such as {\"type\": \"adam\", \"lr\": 0.001}");
    assertThat(messageFor(RunFile.TEXT, "data.augment.random_crop=2"))
        .endsWith("expected an object, such as {\"padding\": 2}");
  }

  private String messageFor(String text, String... overrides) {
    return catchThrowableOfType(
            ConfigException.class, () -> RunFile.load(folder, text == null ? "" : text, overrides))
        .getMessage()
        .replace(folder + "/", "");
  }
}
