// Convolution of each channel by a kernel of its own (groups = C = K), for which library kernels, made of
// matrix products, have little use:
//
//   y[n, i, j, c]  = bias[c] + sum over r, s of w[c, r, s] x[n, i strideH + r dilationH - padH,
//                                                              j strideW + s dilationW - padW, c]
//   dx[n, a, b, c] = sum of w[c, r, s] dy[n, i, j, c] over the r, s, i, j of which that is x[n, a, b, c]
//   dw[c, r, s]    = sum over n, i, j of dy[n, i, j, c] x[n, ..., ..., c]
//
// x, dx [N, h, w, C], y and dy [N, hOut, wOut, C]; w, dw fp32 [C, R, S]; bias fp32 [C] or null. Products
// and sums are in fp32 whatever the precision of x and y.
//
// KERNEL_H, KERNEL_W: R and S, the kernel's rows and columns. R S WIDTH weights must fit a thread's registers.
//
// Geometry: see rows.cuh; a row is a pixel of what is computed, for dw one of y. For dw a row of the kernel
// per z, whose sums the last of its blocks adds up in a fixed order.
// Bytes: each tensor once from memory, x or dy R S times from cache; for dw x and dy R times.
// Reference: convtrain.testing.ReferenceConv2d, and PyTorch's golden values.
#include "reduce.cuh"

#ifndef KERNEL_H
#define KERNEL_H 3
#endif
#ifndef KERNEL_W
#define KERNEL_W 3
#endif

constexpr int TAP_ROWS = KERNEL_H;
constexpr int TAP_COLUMNS = KERNEL_W;
constexpr int TAPS = TAP_ROWS * TAP_COLUMNS;

/** Where a pixel is in a batch of images. */
struct PixelAt {
  int n;
  int row;
  int column;

  __device__ __forceinline__ PixelAt(long long number, int h, int w) {
    unsigned int line = static_cast<unsigned int>(number) / w;
    column = static_cast<int>(static_cast<unsigned int>(number) - line * w);
    n = static_cast<int>(line / h);
    row = static_cast<int>(line) - n * h;
  }
};

/** The weights of a thread's channels. */
struct ChannelWeights {
  float at[TAPS][WIDTH];

  __device__ __forceinline__ ChannelWeights(const float* weight, const Walk& walk) {
#pragma unroll
    for (int k = 0; k < WIDTH; k++) {
#pragma unroll
      for (int tap = 0; tap < TAPS; tap++) {
        at[tap][k] = walk.active ? weight[(walk.channel + k) * TAPS + tap] : 0;
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) depthwise_forward(
    const element* x,
    const float* weight,
    const float* bias,
    element* y,
    long long pixels,
    int channels,
    int h,
    int w,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int dilation_h,
    int dilation_w,
    int pad_h,
    int pad_w) {
  Walk walk(channels);
  ChannelWeights weights(weight, walk);
  float b[WIDTH];
#pragma unroll
  for (int k = 0; k < WIDTH; k++) {
    b[k] = walk.active && bias != nullptr ? bias[walk.channel + k] : 0;
  }
  long long end = walk.end(pixels);
  for (long long number = walk.first(); number < end; number += walk.step()) {
    PixelAt pixel(number, h_out, w_out);
    const element* image = x + static_cast<long long>(pixel.n) * h * w * channels;
    int top = pixel.row * stride_h - pad_h;
    int left = pixel.column * stride_w - pad_w;
    float sum[WIDTH];
#pragma unroll
    for (int k = 0; k < WIDTH; k++) {
      sum[k] = b[k];
    }
#pragma unroll
    for (int tap = 0; tap < TAPS; tap++) {
      int row = top + tap / TAP_COLUMNS * dilation_h;
      int column = left + tap % TAP_COLUMNS * dilation_w;
      if (row >= 0 && row < h && column >= 0 && column < w) {
        float values[WIDTH];
        load(image + static_cast<long long>(row * w + column) * channels + walk.channel, values);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) {
          sum[k] = fmaf(weights.at[tap][k], values[k], sum[k]);
        }
      }
    }
    store(y + number * channels + walk.channel, sum);
  }
}

/** @param pixels of dx */
extern "C" __global__ void __launch_bounds__(THREADS) depthwise_backward_data(
    const element* dy,
    const float* weight,
    element* dx,
    long long pixels,
    int channels,
    int h,
    int w,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int dilation_h,
    int dilation_w,
    int pad_h,
    int pad_w) {
  Walk walk(channels);
  ChannelWeights weights(weight, walk);
  long long end = walk.end(pixels);
  for (long long number = walk.first(); number < end; number += walk.step()) {
    PixelAt pixel(number, h, w);
    const element* image = dy + static_cast<long long>(pixel.n) * h_out * w_out * channels;
    float sum[WIDTH] = {};
#pragma unroll
    for (int tap = 0; tap < TAPS; tap++) {
      // The output that this tap brought the pixel to, if there is one, times the stride.
      int down = pixel.row + pad_h - tap / TAP_COLUMNS * dilation_h;
      int right = pixel.column + pad_w - tap % TAP_COLUMNS * dilation_w;
      int row = down / stride_h;
      int column = right / stride_w;
      if (down >= 0 && right >= 0 && row * stride_h == down && column * stride_w == right &&
          row < h_out && column < w_out) {
        float values[WIDTH];
        load(image + static_cast<long long>(row * w_out + column) * channels + walk.channel, values);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) {
          sum[k] = fmaf(weights.at[tap][k], values[k], sum[k]);
        }
      }
    }
    store(dx + number * channels + walk.channel, sum);
  }
}

/**
 * @param pixels of dy
 * @param partials [R, gridDim.x, S, channels]
 * @param tickets [R, gridDim.y], see last_block
 */
extern "C" __global__ void __launch_bounds__(THREADS) depthwise_backward_filter(
    const element* x,
    const element* dy,
    float* dweight,
    double* partials,
    unsigned int* tickets,
    long long pixels,
    int channels,
    int h,
    int w,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int dilation_h,
    int dilation_w,
    int pad_h,
    int pad_w) {
  Walk walk(channels);
  int r = static_cast<int>(blockIdx.z);
  float sum[TAP_COLUMNS][WIDTH] = {};
  long long end = walk.end(pixels);
  for (long long number = walk.first(); number < end; number += walk.step()) {
    PixelAt pixel(number, h_out, w_out);
    int row = pixel.row * stride_h - pad_h + r * dilation_h;
    int left = pixel.column * stride_w - pad_w;
    if (row < 0 || row >= h) {
      continue;
    }
    const element* line = x + (static_cast<long long>(pixel.n) * h + row) * w * channels;
    float g[WIDTH];
    load(dy + number * channels + walk.channel, g);
#pragma unroll
    for (int s = 0; s < TAP_COLUMNS; s++) {
      int column = left + s * dilation_w;
      if (column >= 0 && column < w) {
        float values[WIDTH];
        load(line + static_cast<long long>(column) * channels + walk.channel, values);
#pragma unroll
        for (int k = 0; k < WIDTH; k++) {
          sum[s][k] = fmaf(g[k], values[k], sum[s][k]);
        }
      }
    }
  }
  // One column of the kernel after the other, so that what the threads hand over fits shared memory.
  double* own = partials + (static_cast<long long>(r) * gridDim.x + blockIdx.x) * TAP_COLUMNS * channels;
#pragma unroll
  for (int s = 0; s < TAP_COLUMNS; s++) {
    double sums[1][WIDTH];
    for (int k = 0; k < WIDTH; k++) {
      sums[0][k] = sum[s][k];
    }
    add_ranks(walk, sums);
    for (int k = 0; k < WIDTH && walk.active && walk.rank == 0; k++) {
      own[s * channels + walk.channel + k] = sums[0][k];
    }
  }
  if (!last_block(tickets + r * gridDim.y + blockIdx.y, gridDim.x)) {
    return;
  }
  const double* first = partials + static_cast<long long>(r) * gridDim.x * TAP_COLUMNS * channels;
  for (int s = 0; s < TAP_COLUMNS; s++) {
    double sums[1][WIDTH] = {};
    for (unsigned int block = walk.rank; walk.active && block < gridDim.x; block += walk.ranks) {
      for (int k = 0; k < WIDTH; k++) {
        sums[0][k] += first[(static_cast<long long>(block) * TAP_COLUMNS + s) * channels + walk.channel + k];
      }
    }
    add_ranks(walk, sums);
    for (int k = 0; k < WIDTH && walk.active && walk.rank == 0; k++) {
      dweight[((walk.channel + k) * TAP_ROWS + r) * TAP_COLUMNS + s] = static_cast<float>(sums[0][k]);
    }
  }
}
