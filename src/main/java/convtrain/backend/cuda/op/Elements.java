package convtrain.backend.cuda.op;

import convtrain.graph.Precision;
import java.util.ArrayList;
import java.util.List;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcudnn.cudnnDataType;

/** How a precision's elements are named to cuDNN, to cuBLAS and to our kernels. */
final class Elements {
  private static final int ACCESS_BYTES = 16;
  private static final long ALIGNMENT = 256;

  private Elements() {}

  /** Whether weights have to be converted before they meet activations. */
  static boolean narrow(Precision precision) {
    return precision.elementBytes() < Float.BYTES;
  }

  /** Their type in a cuDNN descriptor. */
  static int cudnnType(Precision precision) {
    return switch (precision) {
      case FP32, TF32 -> cudnnDataType.CUDNN_DATA_FLOAT;
      case FP16 -> cudnnDataType.CUDNN_DATA_HALF;
      case BF16 -> cudnnDataType.CUDNN_DATA_BFLOAT16;
    };
  }

  /** Their type in a cuBLAS call. */
  static int cublasType(Precision precision) {
    return switch (precision) {
      case FP32, TF32 -> cudaDataType.CUDA_R_32F;
      case FP16 -> cudaDataType.CUDA_R_16F;
      case BF16 -> cudaDataType.CUDA_R_16BF;
    };
  }

  /** How cuBLAS multiplies them; sums are fp32 in each case. */
  static int cublasCompute(Precision precision) {
    return precision == Precision.TF32
        ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
        : cublasComputeType.CUBLAS_COMPUTE_32F;
  }

  /** Elements that a thread of ours moves at once: 16 bytes' worth if that divides a row, or 1. */
  static int width(Precision precision, long rowElements) {
    int full = ACCESS_BYTES / precision.elementBytes();
    return rowElements % full == 0 ? full : 1;
  }

  /** Rounds a size up, so that what follows starts where any access may. */
  static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** The defines that a kernel of ours is compiled with. */
  static String[] defines(Precision precision, int width, String... more) {
    List<String> defines = new ArrayList<>();
    defines.add("PRECISION=" + precision.ordinal());
    defines.add("WIDTH=" + width);
    defines.addAll(List.of(more));
    return defines.toArray(String[]::new);
  }
}
