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
import convtrain.graph.Precision;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnConvolutionFwdAlgoPerf;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnMathType;

/**
 * cuDNN's ways to compute a convolution: those of its algorithms that run here, multiply as the
 * precision asks, give the same bits each time if the run is to be deterministic, and need at most
 * {@link #WORKSPACE_LIMIT_BYTES} of workspace.
 *
 * <p>cuDNN's own search ({@code cudnnFind...}) is not used: our kernels and cuBLAS compete too, and
 * must be measured the same way.
 */
final class CudnnConvolution implements AutoCloseable {
  static final long WORKSPACE_LIMIT_BYTES = 256L << 20;

  /** Algorithms are listed once for each way to multiply. */
  private static final int LISTED_PER_ALGORITHM = 4;

  /** Asks how much workspace an algorithm needs; returns cuDNN's status. */
  private interface WorkspaceQuery {
    int ask(cudnnConvolutionDescriptor window, int algorithm, long[] bytes);
  }

  /** An algorithm as cuDNN listed it; its three directions have three classes for the same. */
  private record Listed(int algorithm, int status, int determinism, int mathType) {}

  /** An algorithm to be used. */
  private record Usable(String name, int algorithm, CudnnWindow window, long workspaceBytes) {}

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final Map<Integer, CudnnWindow> windows = new TreeMap<>();
  private final CudnnTensor x;
  private final CudnnTensor y;
  private final CudnnFilter w;

  CudnnConvolution(CudaContext cuda, ConvGeometry g) {
    this.cuda = cuda;
    geometry = g;
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

  private CudnnWindow window(int mathType) {
    return windows.computeIfAbsent(mathType, type -> owned.add(new CudnnWindow(geometry, type)));
  }

  /** What cuDNN is asked to list: anything that may multiply as the precision allows. */
  private CudnnWindow widest() {
    return window(
        geometry.precision() == Precision.FP32
            ? cudnnMathType.CUDNN_FMA_MATH
            : cudnnMathType.CUDNN_TENSOR_OP_MATH);
  }

  /** y = bias + w * x. */
  List<ConvWay> forward() {
    var found =
        new cudnnConvolutionFwdAlgoPerf
            [cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_COUNT * LISTED_PER_ALGORITHM];
    Arrays.setAll(found, i -> new cudnnConvolutionFwdAlgoPerf());
    int[] count = new int[1];
    Status.cudnn(
        "cudnnGetConvolutionForwardAlgorithm_v7",
        cudnnGetConvolutionForwardAlgorithm_v7(
            cuda.cudnn(),
            x.handle(),
            w.handle(),
            widest().handle(),
            y.handle(),
            found.length,
            count,
            found));
    return usable(
            Stream.of(found).map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            count[0],
            (window, algorithm, bytes) ->
                cudnnGetConvolutionForwardWorkspaceSize(
                    cuda.cudnn(), x.handle(), w.handle(), window, y.handle(), algorithm, bytes))
        .stream()
        .map(one -> new ConvWay(one.name, one.workspaceBytes, memory -> bindForward(one, memory)))
        .toList();
  }

  private Runnable bindForward(Usable one, ConvMemory m) {
    Pointer xAt = m.x().pointer();
    Pointer wAt = m.factors().pointer();
    Pointer yAt = m.y().pointer();
    Pointer workspace = at(m.scratch(), 0, one.workspaceBytes);
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
                    one.window.handle(),
                    one.algorithm,
                    workspace,
                    one.workspaceBytes,
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
    Status.cudnn(
        "cudnnGetConvolutionBackwardDataAlgorithm_v7",
        cudnnGetConvolutionBackwardDataAlgorithm_v7(
            cuda.cudnn(),
            w.handle(),
            y.handle(),
            widest().handle(),
            x.handle(),
            found.length,
            count,
            found));
    return usable(
            Stream.of(found).map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            count[0],
            (window, algorithm, bytes) ->
                cudnnGetConvolutionBackwardDataWorkspaceSize(
                    cuda.cudnn(), w.handle(), y.handle(), window, x.handle(), algorithm, bytes))
        .stream()
        .map(
            one ->
                new ConvWay(one.name, one.workspaceBytes, memory -> bindBackwardData(one, memory)))
        .toList();
  }

  private Runnable bindBackwardData(Usable one, ConvMemory m) {
    Pointer wAt = m.factors().pointer();
    Pointer dyAt = m.dy().pointer();
    Pointer dxAt = m.dx().pointer();
    Pointer workspace = at(m.scratch(), 0, one.workspaceBytes);
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
                one.window.handle(),
                one.algorithm,
                workspace,
                one.workspaceBytes,
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
    Status.cudnn(
        "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
        cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            cuda.cudnn(),
            x.handle(),
            y.handle(),
            widest().handle(),
            w.handle(),
            found.length,
            count,
            found));
    long narrowBytes = narrowGradientBytes();
    return usable(
            Stream.of(found).map(f -> new Listed(f.algo, f.status, f.determinism, f.mathType)),
            count[0],
            (window, algorithm, bytes) ->
                cudnnGetConvolutionBackwardFilterWorkspaceSize(
                    cuda.cudnn(), x.handle(), y.handle(), window, w.handle(), algorithm, bytes))
        .stream()
        .map(
            one ->
                new ConvWay(
                    one.name,
                    narrowBytes + one.workspaceBytes,
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
    Pointer workspace = at(m.scratch(), narrowBytes, one.workspaceBytes);
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
                    one.window.handle(),
                    one.algorithm,
                    workspace,
                    one.workspaceBytes,
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

  private List<Usable> usable(Stream<Listed> found, int count, WorkspaceQuery query) {
    Map<String, Usable> usable = new LinkedHashMap<>();
    for (Listed one : found.limit(count).filter(this::allowed).toList()) {
      int mathType =
          geometry.precision() == Precision.FP32 ? cudnnMathType.CUDNN_FMA_MATH : one.mathType;
      long[] bytes = new long[1];
      int status = query.ask(window(mathType).handle(), one.algorithm, bytes);
      if (Fastest.isRefusal(status)) {
        continue;
      }
      Status.cudnn("cudnnGetConvolution...WorkspaceSize", status);
      if (bytes[0] <= WORKSPACE_LIMIT_BYTES) {
        String name = "cudnn algorithm " + one.algorithm + " math " + mathType;
        usable.putIfAbsent(name, new Usable(name, one.algorithm, window(mathType), bytes[0]));
      }
    }
    return List.copyOf(usable.values());
  }

  private boolean allowed(Listed one) {
    boolean reproducible =
        !cuda.deterministic() || one.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC;
    boolean precise =
        switch (one.mathType) {
          case cudnnMathType.CUDNN_DEFAULT_MATH, cudnnMathType.CUDNN_FMA_MATH -> true;
          case cudnnMathType.CUDNN_TENSOR_OP_MATH -> geometry.precision() != Precision.FP32;
          default -> false; // rounds fp32 to half
        };
    return one.status == 0 && reproducible && precise;
  }

  @Override
  public void close() {
    owned.close();
  }
}
