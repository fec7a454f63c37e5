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
import jcuda.jcublas.cublasOperation;
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
  private static final int FP32 = cudaDataType.CUDA_R_32F;
  private static final int FP16 = cudaDataType.CUDA_R_16F;
  private static final int EXACT = cublasComputeType.CUBLAS_COMPUTE_32F;
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
        gemm(
            opA,
            opB,
            M,
            COLUMNS,
            K,
            scalar(0.75f),
            a.at,
            FP32,
            a.ld,
            b.at,
            b.ld,
            scalar(beta),
            c.at,
            FP32,
            c.ld,
            EXACT));
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

  @Test
  void halvesMultiplyIntoFp32() {
    short[] oneToFour = {0x3c00, 0x4000, 0x4200, 0x4400};
    CUdeviceptr a = CudnnFixture.halves(cuda, oneToFour);
    memory.add(a);
    CUdeviceptr c = device(new float[4]);
    ok(gemm(N, N, 2, 2, 2, scalar(1), a, FP16, 2, a, 2, scalar(0), c, FP32, 2, EXACT));
    assertThat(cuda.read(c, 4)).containsExactly(7, 10, 15, 22);
  }

  @Test
  void halvesAreRoundedToTheNearestEven() {
    // 1, 1 + 2^-10, 65504, 2^-24, doubled and halved: the largest overflows, the smallest ties to 0
    short[] values = {0x3c00, 0x3c01, 0x7bff, 0x0001};
    assertThat(scaled(2, values)).containsExactly(0x4000, 0x4001, 0x7c00, 0x0002);
    assertThat(scaled(0.5f, values)).containsExactly(0x3800, 0x3801, 0x77ff, 0x0000);
  }

  private short[] scaled(float factor, short... values) {
    CUdeviceptr a = CudnnFixture.halves(cuda, values);
    memory.add(a);
    CUdeviceptr one = CudnnFixture.halves(cuda, (short) 0x3c00);
    memory.add(one);
    CUdeviceptr c = device(new float[2]);
    ok(gemm(N, N, 4, 1, 1, scalar(factor), a, FP16, 4, one, 1, scalar(0), c, FP16, 4, EXACT));
    ok(JCudaDriver.cuCtxSynchronize());
    short[] found = new short[4];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(found), c, 8));
    return found;
  }

  @Test
  void tf32RoundsItsOperandsWhereAllowed() {
    CUdeviceptr a = device(1 + 0x1p-12f);
    CUdeviceptr one = device(1f);
    CUdeviceptr c = device(0f);
    assertThat(product(a, one, c)).isEqualTo(1 + 0x1p-12f);
    int fast = cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
    ok(gemm(N, N, 1, 1, 1, scalar(1), a, FP32, 1, one, 1, scalar(0), c, FP32, 1, fast));
    assertThat(cuda.read(c, 1)).containsExactly(1);
  }

  private float product(CUdeviceptr a, CUdeviceptr b, CUdeviceptr c) {
    ok(gemm(N, N, 1, 1, 1, scalar(1), a, FP32, 1, b, 1, scalar(0), c, FP32, 1, EXACT));
    return cuda.read(c, 1)[0];
  }

  /** C = alpha op(A) op(B) + beta C, where A and B are of one type. */
  private int gemm(
      int opA,
      int opB,
      int m,
      int n,
      int k,
      Pointer alpha,
      Pointer a,
      int type,
      int lda,
      Pointer b,
      int ldb,
      Pointer beta,
      Pointer c,
      int typeC,
      int ldc,
      int compute) {
    return JCublas2.cublasGemmEx_new(
        blas,
        opA,
        opB,
        m,
        n,
        k,
        alpha,
        a,
        type,
        lda,
        b,
        type,
        ldb,
        beta,
        c,
        typeC,
        ldc,
        compute,
        cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
  }

  @Test
  void scalingFactorThatTheHostWouldReadOnTheDeviceIsRefused() {
    CUdeviceptr a = device(2f);
    CUdeviceptr c = device(5f);
    assertThat(gemm(N, N, 1, 1, 1, a, a, FP32, 1, a, 1, scalar(0), c, FP32, 1, EXACT))
        .isEqualTo(INVALID_VALUE);
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("cublasGemmEx: the host would read its scaling factor", "device memory");
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
    return gemm(
        opA, N, M, COLUMNS, K, scalar(1), a, FP32, lda, b, ldb, scalar(0), c, FP32, ldc, EXACT);
  }
}
