package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GridTest {
  private static final String RUN =
      RunConfigLoader.toJson(RunConfigLoader.load(Path.of("configs/mlp.json"), List.of()));

  @Test
  void everyCombinationIsARunTheLastAxisFastest() {
    Grid grid =
        new Grid(
            RUN, List.of(Grid.Axis.parse("train.optimizer.lr=0.1,0.2"), Grid.Axis.seeds("1..2,7")));
    List<Grid.Member> members = grid.members();
    assertThat(members)
        .extracting(Grid.Member::name)
        .containsExactly(
            "lr=0.1,seed=1",
            "lr=0.1,seed=2",
            "lr=0.1,seed=7",
            "lr=0.2,seed=1",
            "lr=0.2,seed=2",
            "lr=0.2,seed=7");
    assertThat(members.get(5).config().seed()).isEqualTo(7);
    assertThat(members.get(5).config().train().optimizer().lr()).isEqualTo(0.2);
  }

  @Test
  void commasInsideAValueDoNotDivideIt() {
    Grid.Axis axis = Grid.Axis.parse("train.loss=\"mse\",{\"type\":\"cross_entropy\",\"x\":[1,2]}");
    assertThat(axis.path()).isEqualTo("train.loss");
    assertThat(axis.values())
        .containsExactly("\"mse\"", "{\"type\":\"cross_entropy\",\"x\":[1,2]}");
  }

  @Test
  void valuesThatCannotNameAFolderAreNumbered() {
    Grid grid =
        new Grid(
            RUN,
            List.of(
                Grid.Axis.parse(
                    "train.schedule={\"type\":\"constant\"},{\"type\":\"step\",\"step_size\":2}"),
                Grid.Axis.parse("name=a b,c")));
    assertThat(grid.members())
        .extracting(Grid.Member::name)
        .containsExactly(
            "schedule=v1,name=v1",
            "schedule=v1,name=c",
            "schedule=v2,name=v1",
            "schedule=v2,name=c");
  }

  @Test
  void namesThatWouldBeTheSameOrTooLongAreNumbersInstead() {
    Grid tooLong =
        new Grid(RUN, List.of(Grid.Axis.parse("name=" + "a".repeat(99) + "," + "b".repeat(99))));
    assertThat(tooLong.members()).extracting(Grid.Member::name).containsExactly("0001", "0002");
    Grid same =
        new Grid(RUN, List.of(Grid.Axis.parse("data.limit=100,200"), Grid.Axis.parse("name=x,y")));
    assertThat(same.members()).extracting(Grid.Member::name).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "null",
        "{\"axes\": []}",
        "{\"run\": {}}",
        "{\"run\": null, \"axes\": []}",
        "{\"run\": 3, \"axes\": []}",
        "{\"run\": {}, \"axes\": [null]}",
        "{\"run\": {}, \"axes\": [{\"path\": \"seed\"}]}",
        "{\"run\": {}, \"axes\": [{\"values\": [\"1\"]}]}"
      })
  void aGroupFileThatLacksSomethingIsToldByName(String json) {
    assertThatThrownBy(() -> Grid.parse("group.json", json))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("group.json: ");
  }

  @Test
  void aWrongValueIsToldBeforeAnyRunStarts() {
    Grid grid = new Grid(RUN, List.of(Grid.Axis.parse("train.batch_size=64,none")));
    assertThatThrownBy(grid::members)
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("train.batch_size: found \"none\"");
  }

  @Test
  void aPathMayOccurOnce() {
    assertThatThrownBy(
            () -> new Grid(RUN, List.of(Grid.Axis.parse("seed=1,2"), Grid.Axis.seeds("3"))))
        .isInstanceOf(ConfigException.class)
        .hasMessage("a value of the run file is set twice: seed, seed");
  }

  @Test
  void theFileThatIsWrittenReadsBackTheSame() {
    Grid grid = new Grid(RUN, List.of(Grid.Axis.seeds("1..3")));
    Grid read = Grid.parse("group.json", grid.toJson());
    assertThat(read.members()).isEqualTo(grid.members());
    assertThat(read.toJson()).isEqualTo(grid.toJson());
    assertThatThrownBy(() -> Grid.parse("group.json", "{\"axes\": 5}"))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("group.json: ");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 10, 13})
  void theShardsTogetherAreEveryRunOnce(int parts) {
    List<Grid.Member> all = new Grid(RUN, List.of(Grid.Axis.seeds("1..10"))).members();
    assertThat(
            IntStream.rangeClosed(1, parts)
                .boxed()
                .flatMap(i -> Grid.shard(all, i, parts).stream()))
        .containsExactlyInAnyOrderElementsOf(all);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "1..", "3..1", "1,,2", "1...3", "-1", "1..200000"})
  void seedsThatAreNoneAreRefused(String text) {
    assertThatThrownBy(() -> Grid.Axis.seeds(text))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("--seeds " + text + ": ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"train.epochs", "train.epochs=", "=5"})
  void anAxisWithoutPathOrValuesIsRefused(String text) {
    assertThatThrownBy(() -> Grid.Axis.parse(text))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("--set " + text + ": expected path=value,value");
  }
}
