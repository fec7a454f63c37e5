package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class StartUpTest {
  @Test
  void stagesAreInOrderAndAddUp() {
    AtomicLong now = new AtomicLong(5_000_000_000L);
    StartUp startUp = new StartUp(now::get, 2_000_000_000L);
    startUp.done("java", 2_500_000_000L);
    startUp.done("libraries");
    now.set(9_000_000_000L);
    startUp.done("data");
    now.set(10_000_000_000L);
    assertThat(startUp.stages())
        .containsExactly(
            new StartUp.Stage("java", 0.5),
            new StartUp.Stage("libraries", 2.5),
            new StartUp.Stage("data", 4));
    assertThat(startUp.seconds()).isEqualTo(8);
  }

  @Test
  void aProcessIsAsOldAsItsStarterSays() {
    StartUp startUp = StartUp.ofProcess(StartUp.micros() - 3_600_000_000L);
    startUp.done("all");
    // What the test itself takes is less than a minute.
    assertThat(startUp.stages().get(0).seconds()).isCloseTo(3630, within(30.1));
  }
}
