package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnConvolutionBackwardData;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionBackwardFilter;
import static jcuda.jcudnn.JCudnn.cudnnConvolutionForward;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionForwardAlgorithm_v7;
import static jcuda.jcudnn.JCudnn.cudnnGetConvolutionForwardWorkspaceSize;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.backend.cuda.device.Status;
import convtrain.backend.cuda.op.CudnnAlgorithms.Direction;
import convtrain.backend.cuda.op.CudnnAlgorithms.Listed;
import convtrain.backend.cuda.op.CudnnAlgorithms.Usable;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;

/**
 * cuDNN's ways to compute a convolution, by those of its algorithms that {@link CudnnAlgorithms}
 * lets through.
 *
 * <p>cuDNN's own search ({@code cudnnFind...}) is not used: our kernels and cuBLAS compete too, and
 * must be measured the same way.
 */
final class CudnnConvolution implements AutoCloseable {
  /** Algorithms are listed once for each way to multiply. */
  private static final int LISTED_PER_ALGORITHM = 4;

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final CudnnAlgorithms algorithms;
  private final CudnnTensor x;
  private final CudnnTensor y;
  private final CudnnFilter w;

  CudnnConvolution(CudaContext cuda, ConvGeometry g) {
    this.cuda = cuda;
    geometry = g;
    algorithms = owned.add(new CudnnAlgorithms(cuda, g));
    try {
      x = owned.add(CudnnTensor.images(g.precision(), g.n(), g.c(), g.h(), g.w()));
      y = owned.add(CudnnTensor.images(g.precision(), g.n(), g.k(), g.hOut(), g.wOut()));
      int perGroup = g.c() / g.groups();
      w =
          owned.add(
              new CudnnFilter(g.precision(), g.k(), perGroup, g.kernel().h(), g.kernel().w()));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** y = bias + w * x. */
  List<ConvWay> forward() {
    var found =
        new cudnnConvolutionFwdAlgoPerf
            [cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_COUNT * LISTED_PER_ALGORITHM];
    Arrays.setAll(found, i -> new cudnnConvolutionFwdAlgoPerf());
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionForwardAlgorithm_v7(
            cuda.cudnn(),
            x.handle(),
            w.handle(),
            algorithms.widest().handle(),
            y.handle(),
            found.length,
            count,
            found);
    return algorithms
        .usable(
            Direction.FORWARD,
            "cudnnGetConvolutionForwardAlgorithm_v7",
            status,
            Stream.of(found)
                .limit(status == 0 ? count[0] : 0)
                .map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            (window, algorithm, bytes) ->
                cudnnGetConvolutionForwardWorkspaceSize(
                    cuda.cudnn(), x.handle(), w.handle(), window, y.handle(), algorithm, bytes))
        .stream()
        .map(
            one ->
                new ConvWay(one.name(), one.workspaceBytes(), memory -> bindForward(one, memory)))
        .toList();
  }

  private Runnable bindForward(Usable one, ConvMemory m) {
    Pointer xAt = m.x().pointer();
    Pointer wAt = m.factors().pointer();
    Pointer yAt = m.y().pointer();
    Pointer workspace = at(m.scratch(), 0, one.workspaceBytes());
    Runnable convolve =
        () ->
            Status.cudnn(
                "cudnnConvolutionForward",
                cudnnConvolutionForward(
                    cuda.cudnn(),
                    Factors.ONE,
                    x.handle(),
                    xAt,
                    w.handle(),
                    wAt,
                    one.window().handle(),
                    one.algorithm(),
                    workspace,
                    one.workspaceBytes(),
                    Factors.ZERO,
                    y.handle(),
                    yAt));
    return Bias.after(
        convolve, cuda, geometry.precision(), geometry.pixels(), geometry.k(), m.y(), m.bias());
  }

  /** dx = dy correlated with w turned round. */
  List<ConvWay> backwardData() {
    var found =
        new cudnnConvolutionBwdDataAlgoPerf
            [cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT
                * LISTED_PER_ALGORITHM];
    Arrays.setAll(found, i -> new cudnnConvolutionBwdDataAlgoPerf());
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionBackwardDataAlgorithm_v7(
            cuda.cudnn(),
            w.handle(),
            y.handle(),
            algorithms.widest().handle(),
            x.handle(),
            found.length,
            count,
            found);
    return algorithms
        .usable(
            Direction.BACKWARD_DATA,
            "cudnnGetConvolutionBackwardDataAlgorithm_v7",
            status,
            Stream.of(found)
                .limit(status == 0 ? count[0] : 0)
                .map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            (window, algorithm, bytes) ->
                cudnnGetConvolutionBackwardDataWorkspaceSize(
                    cuda.cudnn(), w.handle(), y.handle(), window, x.handle(), algorithm, bytes))
        .stream()
        .map(
            one ->
                new ConvWay(
                    one.name(), one.workspaceBytes(), memory -> bindBackwardData(one, memory)))
        .toList();
  }

  private Runnable bindBackwardData(Usable one, ConvMemory m) {
    Pointer wAt = m.factors().pointer();
    Pointer dyAt = m.dy().pointer();
    Pointer dxAt = m.dx().pointer();
    Pointer workspace = at(m.scratch(), 0, one.workspaceBytes());
    return () ->
        Status.cudnn(
            "cudnnConvolutionBackwardData",
            cudnnConvolutionBackwardData(
                cuda.cudnn(),
                Factors.ONE,
                w.handle(),
                wAt,
                y.handle(),
                dyAt,
                one.window().handle(),
                one.algorithm(),
                workspace,
                one.workspaceBytes(),
                Factors.ZERO,
                x.handle(),
                dxAt));
  }

  /** dw = sum over images and pixels of dy x; computed in the activations' precision. */
  List<ConvWay> backwardFilter() {
    var found =
        new cudnnConvolutionBwdFilterAlgoPerf
            [cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT
                * LISTED_PER_ALGORITHM];
    Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
    int[] count = new int[1];
    int status =
        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            cuda.cudnn(),
            x.handle(),
            y.handle(),
            algorithms.widest().handle(),
            w.handle(),
            found.length,
            count,
            found);
    long narrowBytes = narrowGradientBytes();
    return algorithms
        .usable(
            Direction.BACKWARD_FILTER,
            "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
            status,
            Stream.of(found)
                .limit(status == 0 ? count[0] : 0)
                .map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            (window, algorithm, bytes) ->
                cudnnGetConvolutionBackwardFilterWorkspaceSize(
                    cuda.cudnn(), x.handle(), y.handle(), window, w.handle(), algorithm, bytes))
        .stream()
        .map(
            one ->
                new ConvWay(
                    one.name(),
                    narrowBytes + one.workspaceBytes(),
                    memory -> bindBackwardFilter(one, narrowBytes, memory)))
        .toList();
  }

  /** Where cuDNN writes dw before it is converted to fp32; 0 if it is fp32 at once. */
  private long narrowGradientBytes() {
    return Elements.narrow(geometry.precision())
        ? Elements.aligned((long) geometry.weights() * geometry.precision().elementBytes())
        : 0;
  }

  private Runnable bindBackwardFilter(Usable one, long narrowBytes, ConvMemory m) {
    boolean narrow = narrowBytes > 0;
    CudaBuffer dw = narrow ? m.scratch().slice(0, narrowBytes) : m.dWeight();
    Pointer xAt = m.x().pointer();
    Pointer dyAt = m.dy().pointer();
    Pointer dwAt = dw.pointer();
    Pointer workspace = at(m.scratch(), narrowBytes, one.workspaceBytes());
    Runnable convolve =
        () ->
            Status.cudnn(
                "cudnnConvolutionBackwardFilter",
                cudnnConvolutionBackwardFilter(
                    cuda.cudnn(),
                    Factors.ONE,
                    x.handle(),
                    xAt,
                    y.handle(),
                    dyAt,
                    one.window().handle(),
                    one.algorithm(),
                    workspace,
                    one.workspaceBytes(),
                    Factors.ZERO,
                    w.handle(),
                    dwAt));
    if (!narrow) {
      return convolve;
    }
    Launch widen = Cast.toFloat(cuda, geometry.precision(), dw, m.dWeight(), geometry.weights());
    return () -> {
      convolve.run();
      widen.enqueue();
    };
  }

  private static Pointer at(CudaBuffer scratch, long offset, long bytes) {
    return bytes == 0 ? new Pointer() : scratch.slice(offset, bytes).pointer();
  }

  /** What cuDNN did not do when it was asked for algorithms. */
  List<String> refusals() {
    return algorithms.refusals();
  }

  @Override
  public void close() {
    owned.close();
  }
}
