// Batch norm over N, H, W per channel, with a ReLU and a dropout behind it where the graph has
// them:
//
//   v = (x - mean) invstd weight + bias,   y = keep (relu) v / (1 - p)
//   g = dy keep / (1 - p) where v > 0
//   dbias = sum of g,   dweight = sum of g xhat,   xhat = (x - mean) invstd
//   dx = weight invstd (g - dbias / rows - xhat dweight / rows)
//
// x, y, dx, dy [rows = N H W, C]; everything per channel is fp32 [C]. relu, weight, bias and masks
// (of dropout, see dropout.cuh) are optional. In the backward pass ReLU's mask is recomputed from v,
// by the same operations as in the forward pass.
//
// Geometry: see rows.cuh; 2 launches per direction, 1 in evaluation.
// Bytes: forward reads x twice and writes y; backward reads x and dy twice and writes dx.
// Reference: convtrain.testing.ReferenceBatchNorm2d, and PyTorch's golden values.
#include "dropout.cuh"
#include "reduce.cuh"

/** What a thread needs of its channels. */
struct Affine {
  float mean[WIDTH];
  float invstd[WIDTH];
  float factor[WIDTH];
  float bias[WIDTH];

  __device__ __forceinline__ Affine(
      const Walk& walk, const float* means, const float* weights, const float* biases) {
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      int c = walk.channel + i;
      mean[i] = walk.active ? means[c] : 0;
      factor[i] = walk.active && weights != nullptr ? weights[c] : 1;
      bias[i] = walk.active && biases != nullptr ? biases[c] : 0;
    }
  }

  __device__ __forceinline__ void set_deviation(int i, float inverse) {
    invstd[i] = inverse;
    factor[i] *= inverse;
  }

  __device__ __forceinline__ void set_deviations(const Walk& walk, const float* inverses) {
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      set_deviation(i, walk.active ? inverses[walk.channel + i] : 1);
    }
  }

  /** Before ReLU and dropout. One place, so that both passes see the same sign. */
  __device__ __forceinline__ float value(int i, float x) const {
    return fmaf(x - mean[i], factor[i], bias[i]);
  }
};

/** Mean and inverse deviation of the batch; running statistics move towards them. */
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_statistics(
    const element* x,
    long long rows,
    int channels,
    double eps,
    double momentum,
    double* partials,
    unsigned int* tickets,
    float* mean,
    float* invstd,
    float* running_mean,
    float* running_var) {
  Walk walk(channels);
  // Around the thread's first value, squares lose no digits to a large mean.
  float shift[WIDTH] = {};
  float sum[WIDTH] = {};
  float squares[WIDTH] = {};
  long long count = 0;
  long long end = walk.end(rows);
  if (walk.first() < end) {
    load(x + walk.first() * channels + walk.channel, shift);
  }
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    float values[WIDTH];
    load(x + row * channels + walk.channel, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      float d = values[i] - shift[i];
      sum[i] += d;
      squares[i] = fmaf(d, d, squares[i]);
    }
    count++;
  }
  double sums[2][WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    double s = shift[i];
    sums[0][i] = sum[i] + s * count;
    sums[1][i] = squares[i] + 2 * s * sum[i] + s * s * count;
  }
  if (!sum_columns(walk, channels, sums, partials, tickets)) {
    return;
  }
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    int c = walk.channel + i;
    double average = sums[0][i] / rows;
    double variance = fmax(sums[1][i] / rows - average * average, 0.0);
    double unbiased = variance * rows / (rows > 1 ? rows - 1 : 1);
    mean[c] = static_cast<float>(average);
    invstd[c] = static_cast<float>(1 / sqrt(variance + eps));
    running_mean[c] = static_cast<float>((1 - momentum) * running_mean[c] + momentum * average);
    running_var[c] = static_cast<float>((1 - momentum) * running_var[c] + momentum * unbiased);
  }
}

/** y of a training step. */
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_forward(
    const element* x,
    element* y,
    long long rows,
    int channels,
    const float* mean,
    const float* invstd,
    const float* weight,
    const float* bias,
    int relu,
    const unsigned int* masks,
    float scale) {
  Walk walk(channels);
  Affine affine(walk, mean, weight, bias);
  affine.set_deviations(walk, invstd);
  long long end = walk.end(rows);
#pragma unroll 2
  for (long long row = walk.first(); row < end; row += walk.step()) {
    long long at = row * channels + walk.channel;
    float values[WIDTH];
    load(x + at, values);
    unsigned int keep = kept(masks, at);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      float v = affine.value(i, values[i]);
      v = relu != 0 && v < 0 ? 0 : v;
      values[i] = (keep >> i & 1u) != 0 ? v * scale : 0;
    }
    store(y + at, values);
  }
}

/** y of an evaluation: the running statistics stand for the batch's. */
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_evaluation(
    const element* x,
    element* y,
    long long rows,
    int channels,
    const float* running_mean,
    const float* running_var,
    const float* weight,
    const float* bias,
    double eps,
    int relu) {
  Walk walk(channels);
  Affine affine(walk, running_mean, weight, bias);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    double variance = walk.active ? running_var[walk.channel + i] : 1;
    affine.set_deviation(i, static_cast<float>(1 / sqrt(variance + eps)));
  }
  long long end = walk.end(rows);
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    long long at = row * channels + walk.channel;
    float values[WIDTH];
    load(x + at, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      float v = affine.value(i, values[i]);
      values[i] = relu != 0 && v < 0 ? 0 : v;
    }
    store(y + at, values);
  }
}

/** g: what of dy goes back through dropout and ReLU. */
__device__ __forceinline__ void through_masks(
    const Affine& affine,
    bool relu,
    unsigned int keep,
    float scale,
    const float (&x)[WIDTH],
    float (&g)[WIDTH]) {
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    bool passes = (keep >> i & 1u) != 0 && (!relu || affine.value(i, x[i]) > 0);
    g[i] = passes ? g[i] * scale : 0;
  }
}

/** dweight and dbias (null without an affine part), and the two means that dx subtracts. */
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_sums(
    const element* x,
    const element* dy,
    long long rows,
    int channels,
    const float* mean,
    const float* invstd,
    const float* weight,
    const float* bias,
    int relu,
    const unsigned int* masks,
    float scale,
    double* partials,
    unsigned int* tickets,
    float* dweight,
    float* dbias,
    float* mean_g,
    float* mean_g_xhat) {
  Walk walk(channels);
  Affine affine(walk, mean, weight, bias);
  affine.set_deviations(walk, invstd);
  float sum_g[WIDTH] = {};
  float sum_gd[WIDTH] = {};
  long long end = walk.end(rows);
#pragma unroll 2
  for (long long row = walk.first(); row < end; row += walk.step()) {
    long long at = row * channels + walk.channel;
    float values[WIDTH];
    float g[WIDTH];
    load(x + at, values);
    load(dy + at, g);
    through_masks(affine, relu != 0, kept(masks, at), scale, values, g);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      sum_g[i] += g[i];
      sum_gd[i] = fmaf(g[i], values[i] - affine.mean[i], sum_gd[i]);
    }
  }
  double sums[2][WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    sums[0][i] = sum_g[i];
    sums[1][i] = static_cast<double>(sum_gd[i]) * affine.invstd[i];
  }
  if (!sum_columns(walk, channels, sums, partials, tickets)) {
    return;
  }
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    int c = walk.channel + i;
    if (dweight != nullptr) {
      dbias[c] = static_cast<float>(sums[0][i]);
      dweight[c] = static_cast<float>(sums[1][i]);
    }
    mean_g[c] = static_cast<float>(sums[0][i] / rows);
    mean_g_xhat[c] = static_cast<float>(sums[1][i] / rows);
  }
}

/** dx, which may be written over dy. */
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm_backward(
    const element* x,
    const element* dy,
    element* dx,
    long long rows,
    int channels,
    const float* mean,
    const float* invstd,
    const float* weight,
    const float* bias,
    int relu,
    const unsigned int* masks,
    float scale,
    const float* mean_g,
    const float* mean_g_xhat) {
  Walk walk(channels);
  Affine affine(walk, mean, weight, bias);
  affine.set_deviations(walk, invstd);
  float away[WIDTH];
  float slope[WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    away[i] = walk.active ? mean_g[walk.channel + i] : 0;
    slope[i] = walk.active ? mean_g_xhat[walk.channel + i] * affine.invstd[i] : 0;
  }
  long long end = walk.end(rows);
#pragma unroll 2
  for (long long row = walk.first(); row < end; row += walk.step()) {
    long long at = row * channels + walk.channel;
    float values[WIDTH];
    float g[WIDTH];
    load(x + at, values);
    load(dy + at, g);
    through_masks(affine, relu != 0, kept(masks, at), scale, values, g);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      g[i] = affine.factor[i] * (g[i] - away[i] - (values[i] - affine.mean[i]) * slope[i]);
    }
    store(dx + at, g);
  }
}
