package convtrain.softcuda;

import static convtrain.softcuda.DriverFixture.function;
import static convtrain.softcuda.DriverFixture.ok;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntSupplier;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnHandle;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What belongs to a context is used in that context alone. */
class SoftCudaContextTest {
  private static final String ADD =
      "extern \"C\" __global__ void add(float* x, float v) { x[threadIdx.x] += v; }";

  @BeforeEach
  void needsTheDevice() {
    SoftCuda.assumeAvailable();
  }

  @Test
  void contextThatEndedTakesNoMoreCalls() {
    SoftCuda.control();
    ok(JCudaDriver.cuInit(0));
    CUdevice device = new CUdevice();
    ok(JCudaDriver.cuDeviceGet(device, 0));
    CUcontext ended = new CUcontext();
    ok(JCudaDriver.cuDevicePrimaryCtxRetain(ended, device));
    ok(JCudaDriver.cuCtxSetCurrent(ended));
    ok(JCudaDriver.cuDevicePrimaryCtxRelease(device));
    assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4))
        .isEqualTo(CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED);
    try (DriverFixture next = new DriverFixture()) {
      assertThat(JCudaDriver.cuCtxSetCurrent(ended)).isEqualTo(CUresult.CUDA_ERROR_INVALID_CONTEXT);
      ok(JCudaDriver.cuStreamSynchronize(next.stream));
    }
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("cuCtxSetCurrent", "the context is not live");
  }

  @Test
  void whatAnEndedContextMadeIsRefusedInTheNext() {
    cudnnHandle dnn = new cudnnHandle();
    cublasHandle blas = new cublasHandle();
    DriverFixture ended = new DriverFixture();
    CUdeviceptr x = ended.device(1f);
    Pointer pinned = ended.pinned(1);
    CUevent event = ended.event();
    CUmodule module = ended.module(ADD);
    CUfunction add = function(module, "add");
    CUgraphExec exec = graph(ended, x);
    ok(JCudnn.cudnnCreate(dnn));
    ok(JCublas2.cublasCreate(blas));
    ended.close();
    try (DriverFixture cuda = new DriverFixture()) {
      CUdeviceptr y = cuda.device(1f);
      Pointer own = cuda.pinned(1);
      Map<String, IntSupplier> uses = new LinkedHashMap<>();
      uses.put("a stream", () -> JCudaDriver.cuStreamSynchronize(ended.stream));
      uses.put("an event", () -> JCudaDriver.cuEventRecord(event, cuda.stream));
      uses.put("memory", () -> JCudaDriver.cuMemcpyDtoHAsync(own, x, 4, cuda.stream));
      uses.put("its freeing", () -> JCudaDriver.cuMemFree(x));
      uses.put("pinned", () -> JCudaDriver.cuMemcpyHtoDAsync(y, pinned, 4, cuda.stream));
      uses.put("a function", () -> cuda.launch(cuda.stream, add, 1, 1, 0, y, 1f));
      uses.put("a module", () -> JCudaDriver.cuModuleGetFunction(new CUfunction(), module, "add"));
      uses.put("a graph", () -> JCudaDriver.cuGraphLaunch(exec, cuda.stream));
      uses.put("cuDNN", () -> JCudnn.cudnnSetStream(dnn, new cudaStream_t(cuda.stream)));
      uses.put("cuBLAS", () -> JCublas2.cublasSetStream(blas, new cudaStream_t(cuda.stream)));
      uses.forEach((what, use) -> assertThat(use.getAsInt()).as(what).isNotZero());
      assertThat(SoftCuda.violations()).hasSize(uses.size());
      assertThat(cuda.read(y, 1)).containsExactly(1);
      ok(JCudaDriver.cuMemFreeHost(own));
      ok(JCudaDriver.cuMemFree(y));
    }
  }

  private static CUgraphExec graph(DriverFixture cuda, CUdeviceptr x) {
    ok(JCudaDriver.cuStreamBeginCapture(cuda.stream, 0));
    ok(JCudaDriver.cuMemsetD8Async(x, (byte) 0, 4, cuda.stream));
    CUgraph graph = new CUgraph();
    ok(JCudaDriver.cuStreamEndCapture(cuda.stream, graph));
    CUgraphExec exec = new CUgraphExec();
    ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    return exec;
  }
}
