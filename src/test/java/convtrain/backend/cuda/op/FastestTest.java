package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.DeviceException;
import convtrain.backend.cuda.device.CudaException;
import convtrain.backend.cuda.device.Status;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which ways come before the tuner. */
class FastestTest extends OpTest {
  private static final String TUNING = "convtrain.tuning";
  private static final int NOT_SUPPORTED = 3000;
  private static final int CUBLAS_NOT_SUPPORTED = 15;
  private static final int CUDNN_NOT_INITIALIZED = 1001;
  private static final int LAUNCH_OUT_OF_RESOURCES = 701;

  private final List<String> ran = new ArrayList<>();

  private static Runnable cudnnSays(int status) {
    return () -> Status.cudnn("cudnnConvolutionForward", status);
  }

  private static Runnable cublasSays(int status) {
    return () -> Status.cublas("cublasGemmEx", status);
  }

  private Fastest.Pick pick(Runnable... candidates) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < candidates.length; i++) {
      names.add("way " + i);
    }
    return Fastest.of(cuda(), "test of " + names, names, List.of(candidates));
  }

  @Test
  void theOnlyWayThatIsNotRefusedIsTaken() {
    Runnable refused = cudnnSays(NOT_SUPPORTED);
    assertThat(pick(refused, () -> ran.add("once"), refused).index()).isEqualTo(1);
    assertThat(ran).as("nothing to measure it against").hasSize(1);
  }

  /**
   * A bad parameter, an internal error and a failed execution too: cuDNN lists algorithms as good
   * ones that then fail so, while others work.
   */
  @ParameterizedTest
  @ValueSource(ints = {2000, 2002, NOT_SUPPORTED, 3003, 4000, 5000, 5003})
  void whateverCudnnSaysAgainstAWayDropsThatWay(int status) {
    assertThat(pick(cudnnSays(status), () -> ran.add("after")).index()).isEqualTo(1);
    assertThat(ran).hasSize(1);
  }

  @Test
  void whatCublasDoesNotSupportDropsOut() {
    assertThat(pick(cublasSays(CUBLAS_NOT_SUPPORTED), () -> ran.add("after")).index()).isEqualTo(1);
  }

  /** A rerun starts sooner for it, and may read no other way's code. */
  @Test
  void whatTheTunerRemembersIsTheOnlyWayThatIsTried() {
    Runnable[] ways = {() -> ran.add("slow"), () -> ran.add("fast")};
    remember("test of [way 0, way 1]", "way 1");
    assertThat(pick(ways).toString()).isEqualTo("way 1");
    assertThat(ran).containsExactly("fast");
  }

  @Test
  void whatTheTunerRemembersAndTheLibraryNowRefusesIsPassedOver() {
    Runnable[] ways = {() -> ran.add("slow"), cudnnSays(NOT_SUPPORTED), () -> ran.add("last")};
    remember("test of [way 0, way 1, way 2]", "way 1");
    assertThat(pick(ways).refused()).hasSize(1);
    assertThat(ran).contains("slow", "last");
  }

  /** As a run before did: of two ways the one that can be captured. */
  private void remember(String key, String name) {
    String tuning = System.clearProperty(TUNING);
    try {
      Runnable never = cudnnSays(NOT_SUPPORTED);
      cuda().tuner().pick(key, List.of("never", name), List.of(never, () -> {}));
    } finally {
      if (tuning != null) {
        System.setProperty(TUNING, tuning);
      }
    }
  }

  @Test
  void whatRunsIsToldWithWhatDoesNot() {
    assertThat(pick(cudnnSays(NOT_SUPPORTED), () -> {}).toString())
        .isEqualTo("way 1 (not way 0: cudnnConvolutionForward: CUDNN_STATUS_NOT_SUPPORTED)");
    assertThat(pick(() -> {}).toString()).isEqualTo("way 0");
  }

  /** Another way would meet it too, or hide a fault of ours. */
  @Test
  void aDriverThatFailsAndALibraryThatDoesNotWorkAreNotPassedOver() {
    assertThatThrownBy(
            () -> pick(() -> Status.cuda("cuLaunchKernel", LAUNCH_OUT_OF_RESOURCES), this::after))
        .isInstanceOf(CudaException.class)
        .hasMessageStartingWith("cuLaunchKernel: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES");
    assertThatThrownBy(() -> pick(cudnnSays(CUDNN_NOT_INITIALIZED), this::after))
        .isInstanceOf(CudaException.class)
        .hasMessageStartingWith("cudnnConvolutionForward: CUDNN_STATUS_NOT_INITIALIZED");
    assertThat(ran).isEmpty();
  }

  private void after() {
    ran.add("after");
  }

  @Test
  void ifAllRefuseTheErrorTellsWhyOfEach() {
    assertThatThrownBy(() -> pick(cudnnSays(NOT_SUPPORTED), cublasSays(CUBLAS_NOT_SUPPORTED)))
        .isInstanceOf(DeviceException.class)
        .hasMessageStartingWith("test of [way 0, way 1]: no way to compute it runs here; ")
        .hasMessageContaining("way 0: cudnnConvolutionForward: CUDNN_STATUS_NOT_SUPPORTED")
        .hasMessageContaining("; way 1: cublasGemmEx: CUBLAS_STATUS_NOT_SUPPORTED")
        .hasNoCause();
  }
}
