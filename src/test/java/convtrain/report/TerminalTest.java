package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TerminalTest {
  @AfterEach
  void forget() {
    System.clearProperty("convtrain.tty");
    System.clearProperty("convtrain.columns");
  }

  @Test
  void theLauncherTellsWhetherThereIsATerminal() {
    System.setProperty("convtrain.tty", "true");
    assertThat(Terminal.isStandardOutput()).isTrue();
    System.setProperty("convtrain.tty", "false");
    assertThat(Terminal.isStandardOutput()).isFalse();
  }

  @Test
  void theLauncherTellsTheWidthOrEightyColumnsAreTaken() {
    assertThat(Terminal.columns()).isEqualTo(80);
    System.setProperty("convtrain.columns", "0");
    assertThat(Terminal.columns()).isEqualTo(80);
    System.setProperty("convtrain.columns", "132");
    assertThat(Terminal.columns()).isEqualTo(132);
  }
}
