package convtrain.backend.cuda.op;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Precision;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnMathType;

/**
 * Which of cuDNN's algorithms may compute a convolution here: those that multiply as the precision
 * asks, give the same bits each time if the run is to be deterministic, and need at most {@link
 * #WORKSPACE_LIMIT_BYTES} of workspace.
 */
final class CudnnAlgorithms implements AutoCloseable {
  static final long WORKSPACE_LIMIT_BYTES = 256L << 20;

  private static final int SUCCESS = 0;

  /**
   * Of a convolution, with its Winograd algorithm of large tiles, and with those that cuDNN
   * documents as deterministic, best first.
   */
  enum Direction {
    FORWARD(
        cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
        cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
        cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM),
    BACKWARD_DATA(
        cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
        cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_1),
    BACKWARD_FILTER(
        cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
        cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);

    private final int largeWinograd;
    private final int[] deterministic;

    Direction(int largeWinograd, int... deterministic) {
      this.largeWinograd = largeWinograd;
      this.deterministic = deterministic;
    }
  }

  /** Asks how much workspace an algorithm needs; returns cuDNN's status. */
  interface WorkspaceQuery {
    int ask(cudnnConvolutionDescriptor window, int algorithm, long[] bytes);
  }

  /** An algorithm as cuDNN listed it; its three directions have three classes for the same. */
  record Listed(int algorithm, int status, int determinism, int mathType) {
    private static Listed asDocumented(int algorithm, int mathType) {
      return new Listed(algorithm, SUCCESS, cudnnDeterminism.CUDNN_DETERMINISTIC, mathType);
    }

    private boolean variesAs(int number) {
      return algorithm == number
          && status == SUCCESS
          && determinism != cudnnDeterminism.CUDNN_DETERMINISTIC;
    }
  }

  /** An algorithm to be used. */
  record Usable(String name, int algorithm, CudnnWindow window, long workspaceBytes) {}

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final Map<Integer, CudnnWindow> windows = new TreeMap<>();
  private final List<String> refusals = new ArrayList<>();

  CudnnAlgorithms(CudaContext cuda, ConvGeometry geometry) {
    this.cuda = cuda;
    this.geometry = geometry;
  }

  /** What cuDNN is asked to list: anything that may multiply as the precision allows. */
  CudnnWindow widest() {
    return window(
        geometry.precision() == Precision.FP32
            ? cudnnMathType.CUDNN_FMA_MATH
            : cudnnMathType.CUDNN_TENSOR_OP_MATH);
  }

  private CudnnWindow window(int mathType) {
    return windows.computeIfAbsent(mathType, type -> owned.add(new CudnnWindow(geometry, type)));
  }

  /**
   * The usable ones of one direction, cuDNN's choice first. Where its list has none, which may be
   * so of grouped convolutions, those that it documents as deterministic are asked for by number;
   * where it refuses these too, cuBLAS or a kernel of ours may be left.
   *
   * @param call that listed them
   * @param status of that call
   * @param found what it listed
   */
  List<Usable> usable(
      Direction direction, String call, int status, Stream<Listed> found, WorkspaceQuery query) {
    List<Listed> listed = refused(call, status) ? List.of() : found.toList();
    List<Usable> usable = sized(listed.stream().filter(one -> allowed(direction, one)), query);
    return usable.isEmpty() ? sized(unlisted(direction, listed), query) : usable;
  }

  /** None that the list itself calls non-deterministic here, whatever the documentation says. */
  private Stream<Listed> unlisted(Direction direction, List<Listed> listed) {
    List<Integer> mathTypes =
        geometry.precision() == Precision.FP32
            ? List.of(cudnnMathType.CUDNN_FMA_MATH)
            : List.of(cudnnMathType.CUDNN_DEFAULT_MATH, cudnnMathType.CUDNN_FMA_MATH);
    return IntStream.of(direction.deterministic)
        .filter(algorithm -> listed.stream().noneMatch(one -> one.variesAs(algorithm)))
        .boxed()
        .flatMap(algorithm -> mathTypes.stream().map(math -> Listed.asDocumented(algorithm, math)));
  }

  /** What cuDNN did not do when it was asked for algorithms and their workspace. */
  List<String> refusals() {
    return List.copyOf(refusals);
  }

  private boolean refused(String call, int status) {
    if (Status.isCudnnRefusal(status)) {
      refusals.add(call + ": " + JCudnn.cudnnGetErrorString(status));
      return true;
    }
    Status.cudnn(call, status);
    return false;
  }

  private boolean allowed(Direction direction, Listed one) {
    boolean reproducible =
        !cuda.deterministic() || one.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC;
    return one.status == SUCCESS && reproducible && precise(direction, one);
  }

  private boolean precise(Direction direction, Listed one) {
    // Its tiles, of 16-bit numbers too, are transformed by factors of several bits and rounded
    // between: results are off by some units in the last place, where all others are by one.
    if (one.algorithm == direction.largeWinograd && Elements.narrow(geometry.precision())) {
      return false;
    }
    return switch (one.mathType) {
      case cudnnMathType.CUDNN_DEFAULT_MATH, cudnnMathType.CUDNN_FMA_MATH -> true;
      case cudnnMathType.CUDNN_TENSOR_OP_MATH -> geometry.precision() != Precision.FP32;
      default -> false; // rounds fp32 to half
    };
  }

  /** Those whose workspace cuDNN tells, and fits. */
  private List<Usable> sized(Stream<Listed> allowed, WorkspaceQuery query) {
    Map<String, Usable> sized = new LinkedHashMap<>();
    for (Listed one : allowed.toList()) {
      int mathType =
          geometry.precision() == Precision.FP32 ? cudnnMathType.CUDNN_FMA_MATH : one.mathType;
      String name = "cudnn algorithm " + one.algorithm + " math " + mathType;
      long[] bytes = new long[1];
      int status = query.ask(window(mathType).handle(), one.algorithm, bytes);
      if (!refused("workspace of " + name, status) && bytes[0] <= WORKSPACE_LIMIT_BYTES) {
        sized.putIfAbsent(name, new Usable(name, one.algorithm, window(mathType), bytes[0]));
      }
    }
    return List.copyOf(sized.values());
  }

  @Override
  public void close() {
    owned.close();
  }
}
