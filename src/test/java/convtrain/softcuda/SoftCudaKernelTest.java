package convtrain.softcuda;

import static convtrain.softcuda.DriverFixture.function;
import static convtrain.softcuda.DriverFixture.ok;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kernels on the software device: barriers, warps and shared memory are real, and misuse is named.
 */
class SoftCudaKernelTest {
  private static final int N = 1000;

  /** y[block] = sum of the block's share of x; two warp reductions with shared memory between. */
  private static final String SUM =
      """
      __device__ __forceinline__ float warpSum(float v) {
        for (int d = 16; d > 0; d >>= 1) v += __shfl_down_sync(0xFFFFFFFFu, v, d);
        return v;
      }
      extern "C" __global__ void __launch_bounds__(256) sum(const float* x, float* y, int n) {
        __shared__ float part[32];
        float v = 0;
        for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
          v += x[i];
        }
        v = warpSum(v);
        if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
        BARRIER
        if (threadIdx.x < 32) {
          v = warpSum(threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0.0f);
          if (threadIdx.x == 0) y[blockIdx.x] = v;
        }
      }
      """;

  private static final String REVERSE =
      """
      extern "C" __global__ void reverse(float* x, int n) {
        extern __shared__ float s[];
        int t = threadIdx.x;
        if (t < n) s[t] = x[t];
        __syncthreads();
        if (t < n) x[t] = s[n - 1 - t];
      }
      """;

  @BeforeEach
  void needsTheDevice() {
    SoftCuda.assumeAvailable();
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 96, 256})
  void shufflesAndBarriersSumExactly(int threads) {
    assertThat(sum("__syncthreads();", 1, threads)).isEqualTo(N * (N - 1) / 2f);
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void missingBarrierGivesAWrongSumUnderMostSeeds() {
    long wrong =
        IntStream.range(0, 8).filter(seed -> sum("", seed, 256) != N * (N - 1) / 2f).count();
    assertThat(wrong).isGreaterThanOrEqualTo(4);
  }

  private float sum(String barrier, int seed, int threads) {
    try (DriverFixture cuda = new DriverFixture("seed=" + seed)) {
      float[] values = new float[N];
      IntStream.range(0, N).forEach(i -> values[i] = i);
      CUdeviceptr x = cuda.device(values);
      CUdeviceptr y = cuda.device(3);
      CUmodule module = cuda.module(SUM.replace("BARRIER", barrier));
      ok(cuda.launch(cuda.stream, function(module, "sum"), 3, threads, 0, x, y, N));
      float[] sums = cuda.read(y, 3);
      ok(JCudaDriver.cuModuleUnload(module));
      ok(JCudaDriver.cuMemFree(x));
      ok(JCudaDriver.cuMemFree(y));
      return sums[0] + sums[1] + sums[2];
    }
  }

  /** Of 40 threads: a whole warp and a part of one. */
  private static final String LANES =
      """
      extern "C" __global__ void lanes(int* y, unsigned* counters) {
        int t = threadIdx.x, lane = t % 32;
        unsigned there = __activemask();
        unsigned odd = __ballot_sync(there, t & 1);
        int below = __shfl_up_sync(there, t, 1);
        int swapped = __shfl_xor_sync(there, t, 1);
        int first = __shfl_sync(there, t, 0);
        int third = __shfl_sync(there, t, 3, 4);
        int sum = __reduce_add_sync(there, lane);
        int votes = __any_sync(there, t == 35) + 2 * __all_sync(there, t < 32) + 4 * __popc(odd);
        int* to = y + 6 * t;
        to[0] = below; to[1] = swapped; to[2] = first; to[3] = third; to[4] = sum; to[5] = votes;
        atomicAdd(counters, 2u);
        atomicMax(counters + 1, (unsigned)t);
        atomicOr(counters + 2, 1u << lane);
        unsigned seen = counters[3];
        for (unsigned before = ~seen; before != seen;) {
          before = seen;
          seen = atomicCAS(counters + 3, before, before + t);
        }
      }
      """;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void lanesExchangeAndVoteAndAtomicsCount(int seed) {
    try (DriverFixture cuda = new DriverFixture("seed=" + seed)) {
      CUmodule module = cuda.module(LANES);
      CUdeviceptr y = cuda.device(6 * 40);
      CUdeviceptr counters = cuda.device(0f, 0f, 0f, 0f);
      ok(cuda.launch(cuda.stream, function(module, "lanes"), 1, 40, 0, y, counters));
      int[] found = bits(cuda.read(y, 6 * 40));
      for (int t = 0; t < 40; t++) {
        boolean whole = t < 32;
        assertThat(Arrays.copyOfRange(found, 6 * t, 6 * t + 6))
            .as("thread %d", t)
            .containsExactly(
                t % 32 == 0 ? t : t - 1,
                t ^ 1,
                t / 32 * 32,
                t / 4 * 4 + 3,
                whole ? 496 : 28,
                whole ? 2 + 4 * 16 : 1 + 4 * 4);
      }
      assertThat(bits(cuda.read(counters, 4))).containsExactly(80, 39, -1, 780);
      ok(JCudaDriver.cuModuleUnload(module));
      ok(JCudaDriver.cuMemFree(y));
      ok(JCudaDriver.cuMemFree(counters));
    }
    assertThat(SoftCuda.violations()).isEmpty();
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
    return bits;
  }

  @Test
  void dynamicSharedMemoryHoldsTheLaunchsBytes() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUmodule module = cuda.module(REVERSE);
      CUdeviceptr x = cuda.device(1f, 2f, 3f, 4f, 5f, 6f);
      ok(cuda.launch(cuda.stream, function(module, "reverse"), 1, 64, 24, x, 6));
      assertThat(cuda.read(x, 6)).containsExactly(6, 5, 4, 3, 2, 1);
      ok(cuda.launch(cuda.stream, function(module, "reverse"), 1, 64, 0, x, 6));
      assertThat(JCudaDriver.cuCtxSynchronize()).isEqualTo(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("kernel reverse", "past shared memory");
  }

  @ParameterizedTest
  @CsvSource({
    "'x[n + 1020] = 1', byte 4096 of the 16 bytes",
    "'x[n] = 1', past its end",
    "'x[-1] = 1', before its start",
    "'*(int*)0 = 1', a null pointer",
    "'__shared__ int s[8]; s[n + threadIdx.x] = 1', an index outside an array",
    "'*(float2*)(x + 1) = float2{1, 2}', a misaligned access",
    "'if (threadIdx.x < 9) return; __syncthreads()', have returned",
    "'if (threadIdx.x < 9) __syncthreads(); else __syncthreads_count(1)', at __syncthreads",
    "'if (threadIdx.x < 9) __syncwarp(); else __syncthreads()', its threads wait for each other",
    "'__shfl_sync(1u << threadIdx.x % 31, 1, 0)', does not name its own lane",
    "'__trap()', __trap",
  })
  void misuseEndsInAStickyErrorWithTheKernelsName(String statement, String said) {
    String source =
        "extern \"C\" __global__ void bad(float* x, int n) { %s; }".formatted(statement);
    try (DriverFixture cuda = new DriverFixture()) {
      CUmodule module = cuda.module(source);
      CUdeviceptr x = cuda.device(4);
      ok(cuda.launch(cuda.stream, function(module, "bad"), 1, 64, 0, x, 4));
      assertThat(JCudaDriver.cuCtxSynchronize()).isGreaterThanOrEqualTo(700);
      assertThat(JCudaDriver.cuMemAlloc(new CUdeviceptr(), 4)).isGreaterThanOrEqualTo(700);
    }
    assertThat(SoftCuda.violations()).singleElement().asString().contains("bad", said);
  }

  @Test
  void launchBoundsAreKept() {
    try (DriverFixture cuda = new DriverFixture()) {
      CUmodule module = cuda.module(SUM.replace("BARRIER", "__syncthreads();"));
      CUdeviceptr x = cuda.device(4);
      assertThat(cuda.launch(cuda.stream, function(module, "sum"), 1, 288, 0, x, x, 4))
          .isEqualTo(CUresult.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    }
  }

  @Test
  void compileErrorsNameTheirLine() {
    nvrtcProgram program = new nvrtcProgram();
    String source = "extern \"C\" __global__ void k(float* x) {\n  y[0] = 1;\n}\n";
    ok(JNvrtc.nvrtcCreateProgram(program, source, "wrong.cu", 0, null, null));
    assertThat(JNvrtc.nvrtcCompileProgram(program, 0, null))
        .isEqualTo(nvrtcResult.NVRTC_ERROR_COMPILATION);
    String[] log = new String[1];
    ok(JNvrtc.nvrtcGetProgramLog(program, log));
    assertThat(log[0]).contains("wrong.cu:2", "'y' was not declared");
    ok(JNvrtc.nvrtcDestroyProgram(program));
  }
}
