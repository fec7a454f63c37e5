// Mixes each sample of a staged batch with the one before it, the first with the last, and makes
// the targets. How is told in convtrain.graph.MixSpec, what is drawn in convtrain.graph.MixDraw;
// every operation is rounded on its own, so that results are those of the CPU to the bit.
//
//   mixup   x_n = lambda s_n + (1 - lambda) s_m        t_n = lambda onehot(labels_n)
//   cutmix  x_n = s_m in a rectangle, s_n elsewhere          + (1 - lambda) onehot(labels_m)
//
// s, x [N, H, W, C]; labels [N]; t [N, K] fp32; quantiles [1025].
// Geometry: one thread per pack of x, at least one per value of t. Bytes: reads s twice (once from
// the cache), writes x.
// Reference: convtrain.backend.MixContractTest.
#include "element.cuh"
#include "philox.cuh"

/** The ordinal of convtrain.graph.Philox.Purpose.MIX. */
constexpr unsigned int PURPOSE_MIX = 5;

/** What a batch does. */
struct Mixing {
  /** The share of a sample that stays. */
  float lambda;
  int left, top, right, bottom;
};

__device__ __forceinline__ Mixing draw_mixing(
    unsigned long long seed,
    unsigned long long batch,
    const float* quantiles,
    bool cuts,
    int height,
    int width) {
  Words words = philox(
      seed, static_cast<unsigned int>(batch), static_cast<unsigned int>(batch >> 32), 0, PURPOSE_MIX);
  unsigned int i = words.a >> 22;
  float f = __fmul_rn(static_cast<float>(words.a & 0x3FFFFFu), 1 / 4194304.0f);
  float lambda =
      __fadd_rn(quantiles[i], __fmul_rn(f, __fsub_rn(quantiles[i + 1], quantiles[i])));
  if (!cuts) {
    return Mixing{lambda, 0, 0, 0, 0};
  }
  float r = __fmul_rn(__fsqrt_rn(__fsub_rn(1, lambda)), 0.5f);
  int column = static_cast<int>(static_cast<unsigned long long>(words.b) * width >> 32);
  int row = static_cast<int>(static_cast<unsigned long long>(words.c) * height >> 32);
  int half_width = static_cast<int>(__fmul_rn(r, static_cast<float>(width)));
  int half_height = static_cast<int>(__fmul_rn(r, static_cast<float>(height)));
  Mixing mixing;
  mixing.left = max(0, column - half_width);
  mixing.right = min(width, column + half_width);
  mixing.top = max(0, row - half_height);
  mixing.bottom = min(height, row + half_height);
  int all = height * width;
  int stays = all - (mixing.right - mixing.left) * (mixing.bottom - mixing.top);
  mixing.lambda = __fdiv_rn(static_cast<float>(stays), static_cast<float>(all));
  return mixing;
}

extern "C" __global__ void __launch_bounds__(THREADS) mix(
    const element* staged,
    const int* labels,
    element* x,
    float* targets,
    const long long* clock,
    long long seed,
    const float* quantiles,
    int cuts,
    int n,
    int classes,
    int channels,
    int height,
    int width) {
  Mixing mixing = draw_mixing(
      static_cast<unsigned long long>(seed),
      static_cast<unsigned long long>(*clock),
      quantiles,
      cuts != 0,
      height,
      width);
  float rest = __fsub_rn(1, mixing.lambda);
  long long thread = global_thread();
  if (thread < static_cast<long long>(n) * classes) {
    int sample = static_cast<int>(thread / classes);
    int k = static_cast<int>(thread % classes);
    float own = k == labels[sample] ? mixing.lambda : 0;
    float others = k == labels[(sample + n - 1) % n] ? rest : 0;
    targets[thread] = __fadd_rn(own, others);
  }
  int elements = channels * height * width;
  int packs = elements / WIDTH;
  int sample = static_cast<int>(thread / packs);
  if (sample >= n) {
    return;
  }
  int first = static_cast<int>(thread % packs) * WIDTH;
  long long other = static_cast<long long>((sample + n - 1) % n) * elements + first;
  float a[WIDTH];
  float b[WIDTH];
  load(staged + thread * WIDTH, a);
  load(staged + other, b);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    int column = (first + i) / channels % width;
    int row = (first + i) / channels / width;
    bool taken = column >= mixing.left && column < mixing.right && row >= mixing.top &&
                 row < mixing.bottom;
    if (cuts == 0) {
      a[i] = __fadd_rn(__fmul_rn(mixing.lambda, a[i]), __fmul_rn(rest, b[i]));
    } else if (taken) {
      a[i] = b[i];
    }
  }
  store(x + thread * WIDTH, a);
}
