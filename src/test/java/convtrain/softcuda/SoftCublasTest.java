package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.scalar;
import static convtrain.softcuda.DriverFixture.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasPointerMode;
import jcuda.runtime.cudaStream_t;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The software cuBLAS against products written out here, and its refusals. */
class SoftCublasTest {
  private static final int INVALID_VALUE = 7;
  private static final int N = cublasOperation.CUBLAS_OP_N;
  private static final int T = cublasOperation.CUBLAS_OP_T;
  private static final int M = 4;
  private static final int COLUMNS = 3;
  private static final int K = 5;

  private final Random random = new Random(3);
  private final List<CUdeviceptr> memory = new ArrayList<>();
  private DriverFixture cuda;
  private cublasHandle blas;

  @BeforeEach
  void open() {
    SoftCuda.assumeAvailable();
    cuda = new DriverFixture();
    blas = new cublasHandle();
    ok(JCublas2.cublasCreate(blas));
    ok(JCublas2.cublasSetStream(blas, new cudaStream_t(cuda.stream)));
  }

  @AfterEach
  void close() {
    if (cuda != null) {
      ok(JCublas2.cublasDestroy(blas));
      memory.forEach(JCudaDriver::cuMemFree);
      cuda.close();
      assertThat(SoftCuda.leaks()).isEmpty();
    }
  }

  private CUdeviceptr device(float... values) {
    memory.add(cuda.device(values));
    return memory.get(memory.size() - 1);
  }

  /** A matrix of random values, columns first, with rows of NaN below it that nobody may read. */
  private final class Matrix {
    final int ld;
    final float[] values;
    final CUdeviceptr at;

    Matrix(int rows, int columns) {
      ld = rows + 2;
      values = new float[ld * columns];
      Arrays.fill(values, Float.NaN);
      for (int column = 0; column < columns; column++) {
        for (int row = 0; row < rows; row++) {
          values[column * ld + row] = (float) random.nextGaussian();
        }
      }
      at = device(values);
    }

    double get(int operation, int row, int column) {
      return operation == N ? values[column * ld + row] : values[row * ld + column];
    }
  }

  private static Matrix stored(SoftCublasTest test, int operation, int rows, int columns) {
    return operation == N ? test.new Matrix(rows, columns) : test.new Matrix(columns, rows);
  }

  @ParameterizedTest
  @CsvSource({"0, 0, 0", "0, 1, 0", "1, 0, 0.5", "1, 1, -2"})
  void productsAreRightForEveryTransposition(int opA, int opB, float beta) {
    Matrix a = stored(this, opA, M, K);
    Matrix b = stored(this, opB, K, COLUMNS);
    Matrix c = new Matrix(M, COLUMNS);
    ok(
        JCublas2.cublasSgemm(
            blas,
            opA,
            opB,
            M,
            COLUMNS,
            K,
            scalar(0.75f),
            a.at,
            a.ld,
            b.at,
            b.ld,
            scalar(beta),
            c.at,
            c.ld));
    float[] found = cuda.read(c.at, c.values.length);
    for (int row = 0; row < M; row++) {
      for (int column = 0; column < COLUMNS; column++) {
        double sum = 0;
        for (int k = 0; k < K; k++) {
          sum += a.get(opA, row, k) * b.get(opB, k, column);
        }
        assertThat((double) found[column * c.ld + row])
            .isCloseTo(0.75 * sum + beta * c.get(N, row, column), within(1e-5));
      }
    }
    assertThat(found[M]).as("below the matrix").isNaN();
    assertThat(SoftCuda.violations()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"0", "1"})
  void matrixTimesVectorIsRight(int operation) {
    Matrix a = new Matrix(M, K);
    int rows = operation == N ? M : K;
    int columns = operation == N ? K : M;
    float[] x = new float[columns];
    Arrays.setAll(new double[columns], i -> x[i] = i + 1);
    float[] start = new float[2 * rows];
    Arrays.fill(start, 1);
    CUdeviceptr y = device(start);
    ok(
        JCublas2.cublasSgemv(
            blas, operation, M, K, scalar(2), a.at, a.ld, device(x), 1, scalar(1), y, 2));
    float[] found = cuda.read(y, 2 * rows);
    for (int row = 0; row < rows; row++) {
      double sum = 0;
      for (int column = 0; column < columns; column++) {
        sum += a.get(operation, row, column) * x[column];
      }
      assertThat((double) found[2 * row]).isCloseTo(2 * sum + 1, within(1e-4));
      assertThat(found[2 * row + 1]).isEqualTo(1);
    }
  }

  @Test
  void halvesMultiplyIntoFp32() {
    short[] oneToFour = {0x3c00, 0x4000, 0x4200, 0x4400};
    CUdeviceptr a = CudnnFixture.halves(cuda, oneToFour);
    memory.add(a);
    CUdeviceptr c = device(new float[4]);
    ok(
        JCublas2.cublasGemmEx_new(
            blas,
            N,
            N,
            2,
            2,
            2,
            scalar(1),
            a,
            cudaDataType.CUDA_R_16F,
            2,
            a,
            cudaDataType.CUDA_R_16F,
            2,
            scalar(0),
            c,
            cudaDataType.CUDA_R_32F,
            2,
            cublasComputeType.CUBLAS_COMPUTE_32F,
            cublasGemmAlgo.CUBLAS_GEMM_DEFAULT));
    assertThat(cuda.read(c, 4)).containsExactly(7, 10, 15, 22);
  }

  @Test
  void tf32RoundsItsOperandsWhereAllowed() {
    CUdeviceptr a = device(1 + 0x1p-12f);
    CUdeviceptr one = device(1f);
    CUdeviceptr c = device(0f);
    ok(JCublas2.cublasSetMathMode(blas, cublasMath.CUBLAS_DEFAULT_MATH));
    assertThat(product(a, one, c)).isEqualTo(1 + 0x1p-12f);
    ok(JCublas2.cublasSetMathMode(blas, cublasMath.CUBLAS_TF32_TENSOR_OP_MATH));
    assertThat(product(a, one, c)).isEqualTo(1);
  }

  private float product(CUdeviceptr a, CUdeviceptr b, CUdeviceptr c) {
    ok(JCublas2.cublasSgemm(blas, N, N, 1, 1, 1, scalar(1), a, 1, b, 1, scalar(0), c, 1));
    return cuda.read(c, 1)[0];
  }

  @Test
  void scalarsOnTheDeviceAreReadWhenTheProductRuns() {
    CUdeviceptr a = device(2f);
    CUdeviceptr c = device(5f);
    CUdeviceptr alpha = device(3f);
    CUdeviceptr beta = device(0f);
    ok(JCublas2.cublasSetPointerMode(blas, cublasPointerMode.CUBLAS_POINTER_MODE_DEVICE));
    ok(JCublas2.cublasSgemm(blas, N, N, 1, 1, 1, alpha, a, 1, a, 1, beta, c, 1));
    assertThat(cuda.read(c, 1)).containsExactly(12);
  }

  @Test
  void aWorkspaceIsOverwrittenUntilTheStreamIsSetAgain() {
    CUdeviceptr a = device(2f);
    CUdeviceptr c = device(0f);
    CUdeviceptr workspace = device(1, 1, 1, 1);
    ok(JCublas2.cublasSetWorkspace(blas, workspace, 16));
    ok(JCublas2.cublasSetStream(blas, new cudaStream_t(cuda.stream)));
    assertThat(product(a, a, c)).isEqualTo(4);
    assertThat(cuda.read(workspace, 4)).containsOnly(1f);
    ok(JCublas2.cublasSetWorkspace(blas, workspace, 16));
    assertThat(product(a, a, c)).isEqualTo(4);
    assertThat(cuda.read(workspace, 4)).containsOnly(Float.NaN);
    assertThat(JCublas2.cublasSetWorkspace(blas, workspace.withByteOffset(16), 16))
        .isEqualTo(INVALID_VALUE);
  }

  @Test
  void leadingDimensionsAndSharedMemoryAreChecked() {
    Matrix a = new Matrix(M, K);
    Matrix b = new Matrix(K, COLUMNS);
    Matrix c = new Matrix(M, COLUMNS);
    assertThat(gemm(T, a.at, M, b.at, b.ld, c.at, c.ld)).isEqualTo(INVALID_VALUE);
    assertThat(gemm(N, a.at, M - 1, b.at, b.ld, c.at, c.ld)).isEqualTo(INVALID_VALUE);
    assertThat(gemm(N, a.at, a.ld, b.at, b.ld, c.at, M - 1)).isEqualTo(INVALID_VALUE);
    assertThat(gemm(N, new CUdeviceptr(), a.ld, b.at, b.ld, c.at, c.ld)).isEqualTo(INVALID_VALUE);
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(gemm(N, a.at, a.ld, b.at, b.ld, a.at, c.ld)).isEqualTo(INVALID_VALUE);
    assertThat(SoftCuda.violations()).singleElement().asString().contains("C shares memory");
  }

  private int gemm(int opA, Pointer a, int lda, Pointer b, int ldb, Pointer c, int ldc) {
    return JCublas2.cublasSgemm(
        blas, opA, N, M, COLUMNS, K, scalar(1), a, lda, b, ldb, scalar(0), c, ldc);
  }
}
