// y += bias, and the gradient of a bias: dbias = sum of dy over the rows.
//
// y, dy [rows, columns] (of a convolution: rows = N H W), bias, dbias fp32 [columns].
// Geometry: see rows.cuh. Bytes: bias_add reads and writes y; column_sum reads dy.
// Reference: PyTorch's golden values of linear and conv2d.
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) bias_add(
    element* y, const float* bias, long long rows, int columns) {
  Walk walk(columns);
  float b[WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    b[i] = walk.active ? bias[walk.channel + i] : 0;
  }
  long long end = walk.end(rows);
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    element* at = y + row * columns + walk.channel;
    float values[WIDTH];
    load(at, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      values[i] += b[i];
    }
    store(at, values);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) column_sum(
    const element* dy,
    long long rows,
    int columns,
    double* partials,
    unsigned int* tickets,
    float* dbias) {
  Walk walk(columns);
  double sums[1][WIDTH] = {};
  float sum[WIDTH] = {};
  long long end = walk.end(rows);
#pragma unroll 4
  for (long long row = walk.first(); row < end; row += walk.step()) {
    float values[WIDTH];
    load(dy + row * columns + walk.channel, values);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      sum[i] += values[i];
    }
  }
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    sums[0][i] = sum[i];
  }
  if (sum_columns(walk, columns, sums, partials, tickets)) {
    for (int i = 0; i < WIDTH; i++) {
      dbias[walk.channel + i] = static_cast<float>(sums[0][i]);
    }
  }
}
