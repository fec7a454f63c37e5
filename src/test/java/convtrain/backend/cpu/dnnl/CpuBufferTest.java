package convtrain.backend.cpu.dnnl;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.RepeatedTest;

class CpuBufferTest {
  /** Several at once, so that the allocator gives them all kinds of places. */
  @RepeatedTest(5)
  void beginsAtACacheLineOrInTheMiddleOfOne() {
    try (CpuBuffer odd = CpuBuffer.allocate(17);
        CpuBuffer atLine = CpuBuffer.allocate(1000);
        CpuBuffer between = CpuBuffer.allocateBetweenLines(1000);
        CpuBuffer slice = between.slice(CpuBuffer.aligned(65), 10)) {
      assertThat(odd.pointer().address() % 64).isZero();
      assertThat(atLine.pointer().address() % 64).isZero();
      assertThat(between.pointer().address() % 64).isEqualTo(32);
      assertThat(slice.pointer().address() % 64).isEqualTo(32);
    }
  }
}
