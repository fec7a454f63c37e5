package convtrain.backend.cuda.op;

import static jcuda.jcublas.JCublas2.cublasGemmEx_new;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Precision;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasOperation;

/**
 * The three products of a layer that multiplies each row by one matrix, by cuBLAS: a linear layer,
 * or a convolution of one tap.
 *
 * <p>x, dx [rows, in], w, dw [out, in], y, dy [rows, out], all row-major: y = x w^T, dx = dy w, dw
 * = dy^T x. cuBLAS counts columns first and so sees each transposed: y^T = w x^T and so on.
 *
 * @param rows images of the batch, or their pixels
 * @param in columns of x
 * @param out columns of y
 */
record MatrixProducts(CudaContext cuda, Precision precision, int rows, int in, int out) {
  private static final int N = cublasOperation.CUBLAS_OP_N;
  private static final int T = cublasOperation.CUBLAS_OP_T;

  /** y = x w^T. */
  Runnable forward(CudaBuffer x, CudaBuffer w, CudaBuffer y) {
    return product(T, N, out, rows, in, w, in, x, in, y, elements(), out);
  }

  /** dx = dy w. */
  Runnable backwardData(CudaBuffer dy, CudaBuffer w, CudaBuffer dx) {
    return product(N, N, in, rows, out, w, in, dy, out, dx, elements(), in);
  }

  /** dw = dy^T x, in fp32. */
  Runnable backwardWeight(CudaBuffer dy, CudaBuffer x, CudaBuffer dw) {
    return product(N, T, in, out, rows, x, in, dy, out, dw, cudaDataType.CUDA_R_32F, in);
  }

  private int elements() {
    return Elements.cublasType(precision);
  }

  /** C [m, n] = op(A) [m, k] op(B) [k, n], columns first. */
  private Runnable product(
      int opA,
      int opB,
      int m,
      int n,
      int k,
      CudaBuffer a,
      int strideA,
      CudaBuffer b,
      int strideB,
      CudaBuffer c,
      int typeC,
      int strideC) {
    int type = elements();
    int compute = Elements.cublasCompute(precision);
    Pointer aAt = a.pointer();
    Pointer bAt = b.pointer();
    Pointer cAt = c.pointer();
    // Not cublasGemmEx: the natives lack its symbol.
    return () ->
        Status.cublas(
            "cublasGemmEx",
            cublasGemmEx_new(
                cuda.cublas(),
                opA,
                opB,
                m,
                n,
                k,
                Factors.ONE,
                aAt,
                type,
                strideA,
                bAt,
                type,
                strideB,
                Factors.ZERO,
                cAt,
                typeC,
                strideC,
                compute,
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT));
  }
}
