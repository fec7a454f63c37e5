package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.testing.RealCuda;
import java.nio.charset.StandardCharsets;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What NVIDIA's own libraries do without a GPU. */
@Tag(RealCuda.TAG)
@EnabledIfSystemProperty(named = RealCuda.PROPERTY, matches = ".+")
class RealCudaTest {
  @BeforeAll
  static void load() {
    RealCuda.load();
  }

  @ParameterizedTest
  @ValueSource(strings = {"7.5", "8.0", "9.0"})
  void nvrtcCompilesToMachineCodeOfTheGpusItKnows(String computeCapability) throws Exception {
    byte[] code = GpuTrial.compile(computeCapability);
    assertThat(code).startsWith(0x7f, 'E', 'L', 'F');
  }

  @Test
  void nvrtcCompilesToPtxForNewerGpus() {
    assertThat(new String(GpuTrial.compile("99.0"), StandardCharsets.US_ASCII))
        .contains(".target sm_90")
        .contains(".entry count(")
        .endsWith("\0");
  }

  @Test
  void cudnnAnswersAndMakesDescriptorsButNoHandle() {
    assertThat(JCudnn.cudnnGetVersion()).isBetween(90000L, 99999L);
    assertThat(JCudnn.cudnnGetCudartVersion() / 1000).isEqualTo(12);
    assertThat(JCudnn.cudnnCreateTensorDescriptor(new cudnnTensorDescriptor())).isZero();
    if (NativeLibraries.ofProcess().locate(Component.DRIVER).isEmpty()) {
      assertThatThrownBy(GpuTrial::cudnn).hasMessageContaining("cudnnCreate: CUDNN_STATUS_");
    }
  }
}
