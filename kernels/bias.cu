// The bias of a convolution or a linear layer, where the library leaves it to us:
//
//   y[row, c] += bias[c]            dbias[c] = sum over rows of dy[row, c]
//
// y, dy [rows, C] (rows = N H W, or N); bias, dbias fp32 [C]. The sum is taken in a fixed order.
//
// Geometry: see rows.cuh; one launch each.
// Bytes: bias_add reads and writes y; bias_gradient reads dy.
// Reference: convtrain.testing.ReferenceConv2d and ReferenceLinear, and PyTorch's golden values.
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    bias_add(element* y, const float* bias, long long rows, int channels) {
  Walk walk(channels);
  float added[WIDTH] = {};
  if (walk.active) {
    load(bias + walk.channel, added);
  }
  long long end = walk.end(rows);
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    element* at = y + row * channels + walk.channel;
    float values[WIDTH];
    load(at, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      values[i] += added[i];
    }
    store(at, values);
  }
}

/**
 * @param partials [gridDim.x, channels]
 * @param tickets gridDim.y of them, 0 at launch and 0 again afterwards
 */
extern "C" __global__ void __launch_bounds__(THREADS) bias_gradient(
    const element* dy,
    float* dbias,
    long long rows,
    int channels,
    double* partials,
    unsigned int* tickets) {
  Walk walk(channels);
  float sum[WIDTH] = {};
  long long end = walk.end(rows);
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    float values[WIDTH];
    load(dy + row * channels + walk.channel, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      sum[i] += values[i];
    }
  }
  double sums[1][WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    sums[0][i] = sum[i];
  }
  if (sum_columns(walk, channels, sums, partials, tickets)) {
    for (int i = 0; i < WIDTH; i++) {
      dbias[walk.channel + i] = static_cast<float>(sums[0][i]);
    }
  }
}
