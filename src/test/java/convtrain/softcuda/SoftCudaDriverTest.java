package convtrain.softcuda;

import static convtrain.softcuda.DriverFixture.bytes;
import static convtrain.softcuda.DriverFixture.function;
import static convtrain.softcuda.DriverFixture.ok;
import static convtrain.softcuda.DriverFixture.view;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.stream.IntStream;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The software device keeps CUDA's rules, uses the freedom they leave, and reports who breaks them.
 */
class SoftCudaDriverTest {
  private static final String ADD =
      """
      extern "C" __global__ void add(float* x, float v, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[i] += v;
      }
      extern "C" __global__ void copy(const float* x, float* y) {
        y[threadIdx.x] = x[threadIdx.x];
      }
      """;

  @BeforeEach
  void needsTheDevice() {
    SoftCuda.assumeAvailable();
  }

  @Test
  void newMemoryIsNaN() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(3);
      assertThat(cuda.read(x, 3)).containsOnly(Float.NaN);
      ok(JCudaDriver.cuMemFree(x));
    }
    assertThat(SoftCuda.leaks()).isEmpty();
    assertThat(SoftCuda.violations()).isEmpty();
  }

  @Test
  void allocationBeyondTheDevicesMemoryIsRefused() {
    try (DriverFixture cuda = new DriverFixture("memory=4096")) {
      CUdeviceptr first = cuda.device(512);
      assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4096))
          .isEqualTo(CUresult.CUDA_ERROR_OUT_OF_MEMORY);
      long[] free = new long[1];
      long[] total = new long[1];
      ok(JCudaDriver.cuMemGetInfo(free, total));
      assertThat(new long[] {free[0], total[0]}).containsExactly(2048, 4096);
      ok(JCudaDriver.cuMemFree(first));
    }
  }

  @Test
  void enqueuedWorkWaitsUntilSomebodyAsks() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(1f, 2f);
      Pointer host = cuda.pinned(2);
      view(host, 2).put(new float[] {-1, -1});
      ok(JCudaDriver.cuMemcpyDtoHAsync(host, x, bytes(2), cuda.stream));
      assertThat(view(host, 2).get(1)).isEqualTo(-1);
      ok(JCudaDriver.cuStreamSynchronize(cuda.stream));
      assertThat(view(host, 2).get(1)).isEqualTo(2);
      ok(JCudaDriver.cuMemFreeHost(host));
      ok(JCudaDriver.cuMemFree(x));
    }
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void pinnedMemoryIsReadWhenTheCopyRuns() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(1);
      Pointer host = cuda.pinned(1);
      view(host, 1).put(0, 5);
      ok(JCudaDriver.cuMemcpyHtoDAsync(x, host, bytes(1), cuda.stream));
      view(host, 1).put(0, 6);
      assertThat(cuda.read(x, 1)).containsExactly(6);
      ok(JCudaDriver.cuMemFreeHost(host));
      ok(JCudaDriver.cuMemFree(x));
    }
  }

  @Test
  void asynchronousCopyFromPageableMemoryIsRefused() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(4);
      Pointer pageable = Pointer.to(ByteBuffer.allocateDirect(16));
      assertThat(JCudaDriver.cuMemcpyHtoDAsync(x, pageable, 16, cuda.stream))
          .isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
      ok(JCudaDriver.cuMemFree(x));
    }
    assertThat(SoftCuda.violations()).singleElement().asString().contains("needs pinned memory");
  }

  @Test
  void useAfterFreeAndDoubleFreeAreNamed() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(4);
      Pointer host = cuda.pinned(4);
      ok(JCudaDriver.cuMemFree(x));
      assertThat(JCudaDriver.cuMemFree(x)).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
      assertThat(JCudaDriver.cuMemcpyDtoHAsync(host, x, 16, cuda.stream))
          .isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
      ok(JCudaDriver.cuMemFreeHost(host));
    }
    assertThat(SoftCuda.violations())
        .hasSize(2)
        .allSatisfy(line -> assertThat(line).contains("the 16 bytes that cuMemFree_v2 freed"));
  }

  @Test
  void memoryFreedBeforeItsWorkRanIsAFault() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(1f);
      CUmodule module = cuda.module(ADD);
      ok(cuda.launch(cuda.stream, function(module, "add"), 1, 32, 0, x, 1f, 1));
      ok(JCudaDriver.cuMemFree(x));
      assertThat(JCudaDriver.cuStreamSynchronize(cuda.stream))
          .isEqualTo(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
      JCudaDriver.cuModuleUnload(module);
    }
    assertThat(SoftCuda.violations()).singleElement().asString().contains("add", "parameter 0");
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void moduleUnloadedBeforeItsWorkRanIsAFault() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(1f);
      CUmodule module = cuda.module(ADD);
      ok(cuda.launch(cuda.stream, function(module, "add"), 1, 32, 0, x, 1f, 1));
      ok(JCudaDriver.cuModuleUnload(module));
      assertThat(JCudaDriver.cuStreamSynchronize(cuda.stream))
          .isEqualTo(CUresult.CUDA_ERROR_LAUNCH_FAILED);
      JCudaDriver.cuMemFree(x);
    }
    assertThat(SoftCuda.violations()).containsExactly("add: its module was unloaded before it ran");
  }

  @Test
  void whatIsLeftAtTheEndIsListedWithTheCallThatMadeIt() {
    try (DriverFixture cuda = new DriverFixture()) {
      cuda.device(25);
      cuda.pinned(1);
      cuda.event();
      cuda.module(ADD);
    }
    assertThat(SoftCuda.leaks())
        .hasSize(4)
        .anyMatch(
            line -> line.startsWith("device memory") && line.endsWith("made by cuMemAlloc_v2"))
        .anyMatch(line -> line.contains("of 100 bytes"))
        .anyMatch(line -> line.startsWith("pinned memory") && line.endsWith("by cuMemHostAlloc"))
        .anyMatch(line -> line.startsWith("event") && line.endsWith("by cuEventCreate"))
        .anyMatch(line -> line.startsWith("module") && line.endsWith("by cuModuleLoadData"));
  }

  @Test
  void callsWithoutACurrentContextAreRefused() throws InterruptedException {
    int[] status = new int[1];
    try (DriverFixture cuda = new DriverFixture()) {
      Thread other = new Thread(() -> status[0] = JCudaDriver.cuStreamSynchronize(cuda.stream));
      other.start();
      other.join();
    }
    assertThat(status[0]).isEqualTo(CUresult.CUDA_ERROR_INVALID_CONTEXT);
    assertThat(SoftCuda.violations()).singleElement().asString().contains("no context is current");
  }

  /** Without a dependency the second stream reads too early under some order; with it, never. */
  @Test
  void onlyAnEventOrdersTwoStreams() {
    long early = IntStream.range(0, 12).filter(seed -> copyAcrossStreams(seed, false) != 2).count();
    assertThat(early).isBetween(1L, 11L);
    assertThat(IntStream.range(0, 12).allMatch(seed -> copyAcrossStreams(seed, true) == 2))
        .isTrue();
  }

  private float copyAcrossStreams(int seed, boolean ordered) {
    try (DriverFixture cuda = new DriverFixture("seed=" + seed)) {
      CUdeviceptr x = cuda.device(1f);
      CUdeviceptr y = cuda.device(0f);
      CUstream second = cuda.stream();
      CUevent added = cuda.event();
      CUmodule module = cuda.module(ADD);
      ok(cuda.launch(cuda.stream, function(module, "add"), 1, 1, 0, x, 1f, 1));
      ok(JCudaDriver.cuEventRecord(added, cuda.stream));
      if (ordered) {
        ok(JCudaDriver.cuStreamWaitEvent(second, added, 0));
      }
      ok(cuda.launch(second, function(module, "copy"), 1, 1, 0, x, y));
      float result = cuda.read(y, 1)[0];
      ok(JCudaDriver.cuEventDestroy(added));
      ok(JCudaDriver.cuStreamDestroy(second));
      ok(JCudaDriver.cuModuleUnload(module));
      ok(JCudaDriver.cuMemFree(x));
      ok(JCudaDriver.cuMemFree(y));
      return result;
    }
  }

  @Test
  void queriesAnswerNotReadyForAWhileAndThenComplete() {
    boolean waited = false;
    for (int seed = 0; seed < 8; seed++) {
      try (DriverFixture cuda = new DriverFixture("seed=" + seed)) {
        CUdeviceptr x = cuda.device(4);
        CUevent done = cuda.event();
        ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
        ok(JCudaDriver.cuEventRecord(done, cuda.stream));
        int polls = 0;
        while (JCudaDriver.cuEventQuery(done) == CUresult.CUDA_ERROR_NOT_READY) {
          assertThat(++polls).isLessThan(10);
        }
        waited |= polls > 0;
        assertThat(cuda.read(x, 4)).containsOnly(0);
        ok(JCudaDriver.cuEventDestroy(done));
        ok(JCudaDriver.cuMemFree(x));
      }
    }
    assertThat(waited).isTrue();
  }

  @Test
  void eventTimeCountsTheWorkBetween() {
    try (DriverFixture cuda = new DriverFixture("late=always")) {
      CUdeviceptr x = cuda.device(4);
      CUevent[] events = {cuda.event(), cuda.event(), cuda.event()};
      ok(JCudaDriver.cuEventRecord(events[0], cuda.stream));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuEventRecord(events[1], cuda.stream));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuEventRecord(events[2], cuda.stream));
      float[] millis = new float[1];
      assertThat(JCudaDriver.cuEventElapsedTime(millis, events[0], events[1]))
          .isEqualTo(CUresult.CUDA_ERROR_NOT_READY);
      ok(JCudaDriver.cuCtxSynchronize());
      ok(JCudaDriver.cuEventElapsedTime(millis, events[0], events[1]));
      float one = millis[0];
      ok(JCudaDriver.cuEventElapsedTime(millis, events[1], events[2]));
      assertThat(one).isPositive();
      assertThat(millis[0]).isGreaterThan(1.5f * one);
    }
  }

  @Test
  void eachLaunchOfAGraphRecordsItsExternalEvents() {
    try (DriverFixture cuda = new DriverFixture("late=always")) {
      CUdeviceptr x = cuda.device(4);
      CUevent[] events = {cuda.event(), cuda.event(), cuda.event()};
      int[] capturing = new int[2];
      assertThat(JCudaDriver.cuEventRecordWithFlags(events[0], cuda.stream, 1))
          .as("external, and nothing is captured")
          .isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
      ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
      ok(JCudaDriver.cuStreamIsCapturing(cuda.stream, capturing));
      ok(JCudaDriver.cuEventRecordWithFlags(events[0], cuda.stream, 1));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuEventRecordWithFlags(events[1], cuda.stream, 1));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      ok(JCudaDriver.cuEventRecordWithFlags(events[2], cuda.stream, 1));
      CUgraph graph = new CUgraph();
      ok(JCudaDriver.cuStreamEndCapture(cuda.stream, graph));
      CUgraphExec exec = new CUgraphExec();
      ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
      ok(JCudaDriver.cuGraphDestroy(graph));
      float[] millis = new float[3];
      for (int launch = 0; launch < 2; launch++) {
        ok(JCudaDriver.cuGraphLaunch(exec, cuda.stream));
        assertThat(JCudaDriver.cuEventElapsedTime(millis, events[0], events[1]))
            .isEqualTo(CUresult.CUDA_ERROR_NOT_READY);
        ok(JCudaDriver.cuCtxSynchronize());
        ok(JCudaDriver.cuEventElapsedTime(millis, events[0], events[1]));
        float one = millis[0];
        ok(JCudaDriver.cuEventElapsedTime(millis, events[1], events[2]));
        assertThat(one).isPositive();
        assertThat(millis[0]).isGreaterThan(1.5f * one);
      }
      assertThat(capturing[0]).isEqualTo(1);
      ok(JCudaDriver.cuStreamIsCapturing(cuda.stream, capturing));
      assertThat(capturing[0]).isZero();
      ok(JCudaDriver.cuGraphExecDestroy(exec));
      for (CUevent event : events) {
        ok(JCudaDriver.cuEventDestroy(event));
      }
      ok(JCudaDriver.cuMemFree(x));
    }
    assertThat(SoftCuda.leaks()).isEmpty();
    assertThat(SoftCuda.violations()).singleElement().asString().contains("outside of a capture");
  }

  @ParameterizedTest
  @ValueSource(strings = {"alloc:2:2", "cuMemAlloc_v2:2:2"})
  void theNthAllocationFailsOnRequest(String fault) {
    try (DriverFixture cuda = new DriverFixture("fail=" + fault)) {
      ok(JCudaDriver.cuMemFree(cuda.device(1)));
      assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4))
          .isEqualTo(CUresult.CUDA_ERROR_OUT_OF_MEMORY);
      ok(JCudaDriver.cuMemFree(cuda.device(1)));
    }
    assertThat(SoftCuda.injected()).hasSize(1);
    assertThat(SoftCuda.calls("cuMemAlloc_v2")).isEqualTo(3);
  }

  @RepeatedTest(2)
  void faultThatOneTestAsksForIsNotMetByTheNext() {
    assertThat(Path.of(System.getenv("SOFTCUDA_CONTROL"))).doesNotExist();
    SoftCuda.control("fail=alloc:1:2");
    assertThat(Path.of(System.getenv("SOFTCUDA_CONTROL"))).exists();
  }

  @Test
  void faultWhileExecutingIsStickyUntilTheContextEnds() {
    try (DriverFixture cuda = new DriverFixture("fail=execution:1:719")) {
      CUdeviceptr x = cuda.device(4);
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 16, cuda.stream));
      assertThat(JCudaDriver.cuStreamSynchronize(cuda.stream)).isEqualTo(719);
      assertThat(JCudaDriver.cuCtxSynchronize()).isEqualTo(719);
      assertThat(JCudaDriver.cuMemFree(x)).isEqualTo(719);
    }
    assertThat(SoftCuda.leaks()).isEmpty();
    try (DriverFixture next = new DriverFixture()) {
      ok(JCudaDriver.cuStreamSynchronize(next.stream));
    }
  }

  @Test
  void wrongLaunchesAreRefused() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUmodule module = cuda.module(ADD);
      CUfunction add = function(module, "add");
      CUdeviceptr x = cuda.device(4);
      assertThat(cuda.launch(cuda.stream, add, 0, 32, 0, x, 1f, 4)).isEqualTo(1);
      assertThat(cuda.launch(cuda.stream, add, 1, 1025, 0, x, 1f, 4)).isEqualTo(1);
      assertThat(cuda.launch(cuda.stream, add, 1, 32, 50000, x, 1f, 4)).isEqualTo(1);
      assertThat(cuda.launch(cuda.stream, add, 1, 32, 0, x, 1f)).isEqualTo(1);
      assertThat(cuda.launch(cuda.stream, add, 1, 32, 0, x, 1f, 4, 4)).isEqualTo(1);
      assertThat(JCudaDriver.cuModuleGetFunction(new CUfunction(), module, "subtract"))
          .isEqualTo(CUresult.CUDA_ERROR_NOT_FOUND);
      ok(JCudaDriver.cuMemFree(x));
      ok(JCudaDriver.cuModuleUnload(module));
    }
    assertThat(SoftCuda.violations())
        .hasSize(5)
        .anyMatch(line -> line.contains("takes 3 parameters, 2 are given"))
        .anyMatch(line -> line.contains("takes 3 parameters, more are given"));
  }

  /** Two branches of one capture, joined again; each replay reads what its memory holds then. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void graphWithABranchReplaysInAnyOrderItsEdgesAllow(int seed) {
    try (DriverFixture cuda = new DriverFixture("seed=" + seed)) {
      CUmodule module = cuda.module(ADD);
      CUdeviceptr x = cuda.device(1f, 1f);
      CUdeviceptr y = cuda.device(0f, 0f);
      CUstream branch = cuda.stream();
      CUevent fork = cuda.event();
      CUevent join = cuda.event();
      CUfunction add = function(module, "add");
      ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
      ok(cuda.launch(cuda.stream, add, 1, 32, 0, x, 1f, 2));
      ok(JCudaDriver.cuEventRecord(fork, cuda.stream));
      ok(JCudaDriver.cuStreamWaitEvent(branch, fork, 0));
      ok(cuda.launch(branch, function(module, "copy"), 1, 2, 0, x, y));
      ok(cuda.launch(branch, add, 1, 32, 0, y, 10f, 2));
      ok(JCudaDriver.cuEventRecord(join, branch));
      ok(JCudaDriver.cuStreamWaitEvent(cuda.stream, join, 0));
      ok(cuda.launch(cuda.stream, add, 1, 32, 0, x, 100f, 2));
      CUgraph graph = new CUgraph();
      ok(JCudaDriver.cuStreamEndCapture(cuda.stream, graph));
      long[] nodes = new long[1];
      ok(JCudaDriver.cuGraphGetNodes(graph, null, nodes));
      assertThat(nodes[0]).isEqualTo(4);
      CUgraphExec exec = new CUgraphExec();
      ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
      ok(JCudaDriver.cuGraphDestroy(graph));
      assertThat(cuda.read(x, 2)).containsExactly(1, 1);
      ok(JCudaDriver.cuGraphLaunch(exec, cuda.stream));
      ok(JCudaDriver.cuGraphLaunch(exec, cuda.stream));
      assertThat(cuda.read(y, 2)).containsExactly(113, 113);
      assertThat(cuda.read(x, 2)).containsExactly(203, 203);
      ok(JCudaDriver.cuGraphExecDestroy(exec));
      ok(JCudaDriver.cuEventDestroy(fork));
      ok(JCudaDriver.cuEventDestroy(join));
      ok(JCudaDriver.cuStreamDestroy(branch));
      ok(JCudaDriver.cuModuleUnload(module));
      ok(JCudaDriver.cuMemFree(x));
      ok(JCudaDriver.cuMemFree(y));
    }
    assertThat(SoftCuda.leaks()).isEmpty();
    assertThat(SoftCuda.violations()).isEmpty();
  }

  @Test
  void branchThatDoesNotJoinSpoilsTheCapture() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr x = cuda.device(1);
      CUstream branch = cuda.stream();
      CUevent fork = cuda.event();
      ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
      ok(JCudaDriver.cuEventRecord(fork, cuda.stream));
      ok(JCudaDriver.cuStreamWaitEvent(branch, fork, 0));
      ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 4, branch));
      assertThat(JCudaDriver.cuStreamEndCapture(cuda.stream, new CUgraph()))
          .isEqualTo(CUresult.CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    }
  }

  @Test
  void unsafeCallsSpoilTheCapture() {
    try (DriverFixture cuda = new DriverFixture()) {
      ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
      assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4))
          .isEqualTo(CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
      assertThat(JCudaDriver.cuStreamEndCapture(cuda.stream, new CUgraph()))
          .isEqualTo(CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
      ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
      assertThat(JCudaDriver.cuStreamSynchronize(cuda.stream))
          .isEqualTo(CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
      assertThat(JCudaDriver.cuStreamEndCapture(cuda.stream, new CUgraph()))
          .isEqualTo(CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
      ok(JCudaDriver.cuCtxSynchronize());
    }
  }
}
