package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.cuda.device.CudaException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which ways come before the tuner. */
class FastestTest extends OpTest {
  private static final int NOT_SUPPORTED_BY_THIS_CHIP = 3003;
  private static final int INTERNAL_ERROR = 4000;

  private final List<String> ran = new ArrayList<>();

  private Runnable failing(int status) {
    return () -> {
      throw new CudaException("status " + status, status);
    };
  }

  private int pick(Runnable... candidates) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < candidates.length; i++) {
      names.add("way " + i);
    }
    return Fastest.of(cuda(), "test of " + names, names, List.of(candidates));
  }

  @Test
  void theOnlyWayThatIsNotRefusedIsTaken() {
    Runnable refused = failing(NOT_SUPPORTED_BY_THIS_CHIP);
    assertThat(pick(refused, () -> ran.add("once"), refused)).isEqualTo(1);
    assertThat(ran).as("nothing to measure it against").hasSize(1);
  }

  @Test
  void whatBreaksIsNotPassedOver() {
    assertThatThrownBy(() -> pick(failing(INTERNAL_ERROR), () -> ran.add("after")))
        .isInstanceOf(CudaException.class)
        .hasMessage("status 4000");
    assertThat(ran).isEmpty();
  }

  @Test
  void ifAllRefuseTheLastRefusalIsTheError() {
    assertThatThrownBy(() -> pick(failing(3001), failing(NOT_SUPPORTED_BY_THIS_CHIP)))
        .hasMessage("status 3003");
  }
}
