package convtrain.backend.cuda.op;

import convtrain.graph.Precision;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcudnn.cudnnDataType;

/** How a precision's elements are named to cuDNN and to cuBLAS, and what they take. */
final class Elements {
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

  /** Rounds a size up, so that what follows starts where any access may. */
  static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
