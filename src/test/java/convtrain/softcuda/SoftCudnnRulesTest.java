package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.BAD_PARAM;
import static convtrain.softcuda.CudnnFixture.FLOAT;
import static convtrain.softcuda.CudnnFixture.NCHW;
import static convtrain.softcuda.CudnnFixture.NHWC;
import static convtrain.softcuda.CudnnFixture.NOT_SUPPORTED;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.DriverFixture.ok;
import static jcuda.jcudnn.cudnnMathType.CUDNN_FMA_MATH;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The software cuDNN refuses what the real one refuses, and reports what it leaves undefined. */
class SoftCudnnRulesTest {
  private CudnnFixture dnn;

  @BeforeEach
  void open() {
    SoftCuda.assumeAvailable();
    dnn = new CudnnFixture();
  }

  @AfterEach
  void close() {
    if (dnn != null) {
      dnn.close();
      assertThat(SoftCuda.leaks()).isEmpty();
    }
  }

  @Test
  void descriptorsRefuseWhatNoTensorIs() {
    cudnnTensorDescriptor tensor = dnn.tensor();
    assertThat(JCudnn.cudnnSetTensor4dDescriptor(tensor, NHWC, FLOAT, 1, 0, 2, 2))
        .isEqualTo(BAD_PARAM);
    assertThat(JCudnn.cudnnSetTensor4dDescriptor(tensor, NHWC, FLOAT, 1 << 12, 1 << 12, 1 << 8, 1))
        .isEqualTo(NOT_SUPPORTED);
    assertThat(JCudnn.cudnnSetTensor4dDescriptor(tensor, NHWC, 77, 1, 1, 1, 1))
        .isEqualTo(NOT_SUPPORTED);
    assertThat(JCudnn.cudnnGetErrorString(BAD_PARAM)).isEqualTo("CUDNN_STATUS_BAD_PARAM");
  }

  @Test
  void descriptorsOfOneCallMustFitTogether() {
    SmallConvolution conv = new SmallConvolution(dnn);
    int[] wrongHeight = {2, 3, 6, 6};
    assertThat(forward(conv, conv.xShape, dnn.tensor(NHWC, wrongHeight))).isEqualTo(BAD_PARAM);
    assertThat(forward(conv, dnn.tensor(NHWC, 2, 5, 5, 6), conv.yShape)).isEqualTo(BAD_PARAM);
    assertThat(forward(conv, dnn.tensor(NCHW, 2, 4, 5, 6), conv.yShape)).isEqualTo(NOT_SUPPORTED);
    assertThat(forward(conv, dnn.tensor(), conv.yShape)).isEqualTo(BAD_PARAM);
    cudnnTensorDescriptor half = dnn.tensor();
    ok(JCudnn.cudnnSetTensor4dDescriptor(half, NHWC, cudnnDataType.CUDNN_DATA_HALF, 2, 4, 5, 6));
    assertThat(forward(conv, half, conv.yShape)).isEqualTo(BAD_PARAM);
  }

  private static int forward(
      SmallConvolution conv, cudnnTensorDescriptor xShape, cudnnTensorDescriptor yShape) {
    return JCudnn.cudnnConvolutionForward(
        conv.dnn.handle,
        ONE,
        xShape,
        conv.x,
        conv.wShape,
        conv.w,
        conv.descriptor(CUDNN_FMA_MATH),
        SmallConvolution.IMPLICIT,
        new Pointer(),
        0,
        ZERO,
        yShape,
        conv.y);
  }

  @Test
  void nullAndMisalignedMemoryIsRefused() {
    SmallConvolution conv = new SmallConvolution(dnn);
    var window = conv.descriptor(CUDNN_FMA_MATH);
    CUdeviceptr none = new CUdeviceptr();
    CUdeviceptr larger = dnn.empty(SmallConvolution.X + 1);
    Pointer offByOne = larger.withByteOffset(4);
    assertThat(conv.run(window, SmallConvolution.IMPLICIT, none, 0, none, conv.y))
        .isEqualTo(BAD_PARAM);
    assertThat(conv.run(window, SmallConvolution.IMPLICIT, none, 0, offByOne, conv.y))
        .isEqualTo(BAD_PARAM);
  }

  @Test
  void anUndersizedWorkspaceIsRefusedAndALargeOneIsOverwritten() {
    SmallConvolution conv = new SmallConvolution(dnn);
    var window = conv.descriptor(CUDNN_FMA_MATH);
    int floats = Math.toIntExact(conv.workspaceBytes() / 4) + 16;
    CUdeviceptr workspace = dnn.device(new float[floats]);
    long needed = conv.workspaceBytes();
    assertThat(needed).isPositive();
    int algorithm = SmallConvolution.PRECOMPUTED;
    assertThat(conv.run(window, algorithm, workspace, needed - 1, conv.x, conv.y))
        .isEqualTo(BAD_PARAM);
    assertThat(conv.run(window, algorithm, new CUdeviceptr(), needed, conv.x, conv.y))
        .isEqualTo(BAD_PARAM);
    ok(conv.run(window, algorithm, workspace, floats * 4L, conv.x, conv.y));
    assertThat(dnn.read(workspace, floats)).containsOnly(Float.NaN);
    assertThat(conv.result()).doesNotContain(Float.NaN);
  }

  @Test
  void anOutputThatSharesMemoryWithAnInputIsReported() {
    SmallConvolution conv = new SmallConvolution(dnn);
    var window = conv.descriptor(CUDNN_FMA_MATH);
    CUdeviceptr none = new CUdeviceptr();
    assertThat(conv.run(window, SmallConvolution.IMPLICIT, none, 0, conv.x, conv.x))
        .isEqualTo(BAD_PARAM);
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("cudnnConvolutionForward y shares memory with cudnnConvolutionForward x");
  }

  @Test
  void aScalingFactorOnTheDeviceIsReported() {
    SmallConvolution conv = new SmallConvolution(dnn);
    CUdeviceptr one = dnn.device(1);
    assertThat(
            JCudnn.cudnnConvolutionForward(
                dnn.handle,
                one,
                conv.xShape,
                conv.x,
                conv.wShape,
                conv.w,
                conv.descriptor(CUDNN_FMA_MATH),
                SmallConvolution.IMPLICIT,
                new Pointer(),
                0,
                ZERO,
                conv.yShape,
                conv.y))
        .isEqualTo(BAD_PARAM);
    assertThat(SoftCuda.violations()).singleElement().asString().contains("scaling factor");
  }

  @Test
  void aDestroyedDescriptorIsReportedWhenUsed() {
    SmallConvolution conv = new SmallConvolution(dnn);
    cudnnTensorDescriptor gone = new cudnnTensorDescriptor();
    ok(JCudnn.cudnnCreateTensorDescriptor(gone));
    ok(JCudnn.cudnnDestroyTensorDescriptor(gone));
    assertThat(forward(conv, gone, conv.yShape)).isEqualTo(BAD_PARAM);
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("cudnnConvolutionForward", "destroyed by cudnnDestroyTensorDescriptor");
  }

  private void capture() {
    ok(
        JCudaDriver.cuStreamBeginCapture(
            dnn.cuda.stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  }

  @Test
  void makingAndEndingAHandleDuringCaptureIsReported() {
    capture();
    assertThat(JCudnn.cudnnCreate(new cudnnHandle())).isNotZero();
    assertThat(JCudaDriver.cuStreamEndCapture(dnn.cuda.stream, new CUgraph())).isNotZero();
    capture();
    assertThat(JCudnn.cudnnDestroy(dnn.handle)).isNotZero();
    assertThat(JCudaDriver.cuStreamEndCapture(dnn.cuda.stream, new CUgraph())).isNotZero();
    assertThat(SoftCuda.violations())
        .satisfiesExactly(
            line -> assertThat(line).contains("cudnnCreate may not be called"),
            line -> assertThat(line).contains("cudnnDestroy may not be called"));
  }

  @Test
  void aCapturedConvolutionReadsWhatXHoldsAtEachReplay() {
    SmallConvolution conv = new SmallConvolution(dnn);
    var window = conv.descriptor(CUDNN_FMA_MATH);
    capture();
    ok(conv.run(window, SmallConvolution.IMPLICIT, new CUdeviceptr(), 0, conv.x, conv.y));
    CUgraph graph = new CUgraph();
    ok(JCudaDriver.cuStreamEndCapture(dnn.cuda.stream, graph));
    CUgraphExec exec = new CUgraphExec();
    ok(JCudaDriver.cuGraphInstantiate(exec, graph, 0));
    ok(JCudaDriver.cuGraphLaunch(exec, dnn.cuda.stream));
    float[] first = conv.result();
    ok(JCudaDriver.cuMemsetD8Async(conv.x, (byte) 0, 4L * SmallConvolution.X, dnn.cuda.stream));
    ok(JCudaDriver.cuGraphLaunch(exec, dnn.cuda.stream));
    assertThat(conv.result()).containsOnly(0f);
    assertThat(first).doesNotContain(0f, Float.NaN);
    ok(JCudaDriver.cuGraphExecDestroy(exec));
    ok(JCudaDriver.cuGraphDestroy(graph));
    assertThat(SoftCuda.violations()).isEmpty();
  }

  @Test
  void injectedFaultsFailTheNamedCall() {
    dnn.close();
    dnn = new CudnnFixture("fail=cudnnConvolutionForward:2:5000");
    SmallConvolution conv = new SmallConvolution(dnn);
    assertThat(Stream.of(1, 2, 3).map(i -> conv.run(CUDNN_FMA_MATH)))
        .containsExactly(0, CudnnFixture.EXECUTION_FAILED, 0);
  }
}
