package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps with 16-bit activations on real images. */
class ReducedTrainingTest extends ReducedContract {
  static Stream<Path> runFiles() throws IOException {
    return ShippedPlansContractTest.runFiles();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("runFiles")
  void noLayerOfAShippedNetworkFallsBackToAReferenceImplementation(Path file) {
    Assumptions.assumeTrue(way.provider().name().equals("cpu"), "oneDNN alone has such");
    assertThat(ShippedPlansContractTest.fallbacks(backend(), file)).isEmpty();
  }

  @Test
  void sameSeedGivesTheSameWeightsToTheBit() {
    new ShippedSteps(backend(), 7).assertRepeatable(5);
  }

  @Test
  void stepsAllocateNothingOnTheJavaHeap() {
    new ShippedSteps(backend(), 2).assertNothingAllocated();
  }
}
