// Convolution of images with one channel, which library kernels, made for many channels, leave the
// GPU idle on:
//
//   y[n, i, j, k] = bias[k] + sum over r, s of w[k, r, s] x[n, i strideH + r dilationH - padH,
//                                                             j strideW + s dilationW - padW]
//   dw[k, r, s]   = sum over n, i, j of dy[n, i, j, k] x[n, ..., ...]
//
// x [N, h, w], y and dy [N, hOut, wOut, K]; w, dw fp32 [K, R, S]; bias fp32 [K] or null. Products and
// sums are in fp32 whatever the precision of x and y.
//
// KERNEL_H, KERNEL_W: R and S, the kernel's rows and columns. WIDTH: output channels that a thread computes; R S WIDTH
// sums must fit its registers.
//
// Geometry: blocks of THREADS; y: K / WIDTH. Forward: x: one thread for each output pixel, weights
// in shared memory. Backward: x: any number, their threads take turns at the pixels; each keeps all
// R S WIDTH sums of its pixels, the block adds them up a row of the kernel at a time, and the last
// block adds up the blocks', all in a fixed order.
// Bytes: forward x K / WIDTH times (mostly from cache) + y once; backward x likewise + dy once.
// Reference: convtrain.testing.ReferenceConv2d, and PyTorch's golden values.
#include "reduce.cuh"

#ifndef KERNEL_H
#define KERNEL_H 3
#endif
#ifndef KERNEL_W
#define KERNEL_W 3
#endif

constexpr int R = KERNEL_H;
constexpr int S = KERNEL_W;

/** The taps under one output pixel; zero outside of the image. */
struct Taps {
  float at[R][S];

  __device__ __forceinline__ Taps(
      const element* x,
      unsigned int pixel,
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
    unsigned int line = pixel / w_out;
    int j = static_cast<int>(pixel - line * w_out);
    int n = static_cast<int>(line / h_out);
    int i = static_cast<int>(line) - n * h_out;
    const element* image = x + static_cast<long long>(n) * h * w;
    int top = i * stride_h - pad_h;
    int left = j * stride_w - pad_w;
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int s = 0; s < S; s++) {
        int row = top + r * dilation_h;
        int column = left + s * dilation_w;
        bool inside = row >= 0 && row < h && column >= 0 && column < w;
        at[r][s] = inside ? to_float(image[row * w + column]) : 0;
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) conv_first_forward(
    const element* x,
    const float* weight,
    const float* bias,
    element* y,
    int pixels,
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
  __shared__ Pack<float> weights[R * S];
  int channel = static_cast<int>(blockIdx.y) * WIDTH;
  for (int t = static_cast<int>(threadIdx.x); t < R * S * WIDTH; t += THREADS) {
    weights[t / WIDTH].at[t % WIDTH] = weight[(channel + t % WIDTH) * (R * S) + t / WIDTH];
  }
  __syncthreads();
  long long pixel = global_thread();
  if (pixel >= pixels) {
    return;
  }
  Taps taps(
      x,
      static_cast<unsigned int>(pixel),
      h,
      w,
      h_out,
      w_out,
      stride_h,
      stride_w,
      dilation_h,
      dilation_w,
      pad_h,
      pad_w);
  float sum[WIDTH];
#pragma unroll
  for (int k = 0; k < WIDTH; k++) {
    sum[k] = bias == nullptr ? 0 : bias[channel + k];
  }
#pragma unroll
  for (int tap = 0; tap < R * S; tap++) {
    Pack<float> factors = weights[tap];
#pragma unroll
    for (int k = 0; k < WIDTH; k++) {
      sum[k] = fmaf(factors.at[k], taps.at[tap / S][tap % S], sum[k]);
    }
  }
  store(y + pixel * channels + channel, sum);
}

/** Threads that add up one value of the block. */
constexpr int PARTS = 8;

/** Blocks whose values such a thread reads together. */
constexpr unsigned int AT_ONCE = 4;

/**
 * Adds up, over the threads of the block, the S WIDTH values that each holds for one row of the
 * kernel; they go to [WIDTH, R, S].
 */
__device__ __forceinline__ void add_threads(const float (&values)[S][WIDTH], float* to) {
  // Eight more than the threads: the values that a warp reads at once lie in different banks.
  __shared__ float staged[S * WIDTH][THREADS + PARTS];
  int t = static_cast<int>(threadIdx.x);
  __syncthreads();
#pragma unroll
  for (int v = 0; v < S * WIDTH; v++) {
    staged[v][t] = values[v / WIDTH][v % WIDTH];
  }
  __syncthreads();
  int part = t % PARTS;
  for (int first = 0; first < S * WIDTH; first += THREADS / PARTS) {
    int v = first + t / PARTS;
    float sum = 0;
    if (v < S * WIDTH) {
#pragma unroll 8
      for (int other = 0; other < THREADS / PARTS; other++) {
        sum += staged[v][other * PARTS + part];
      }
    }
    for (int distance = PARTS / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, distance);
    }
    if (v < S * WIDTH && part == 0) {
      to[v % WIDTH * (R * S) + v / WIDTH] = sum;
    }
  }
}

/**
 * @param partials [gridDim.x, K, R, S]
 * @param tickets gridDim.y of them, 0 at launch and 0 again afterwards
 */
extern "C" __global__ void __launch_bounds__(THREADS) conv_first_backward(
    const element* x,
    const element* dy,
    float* dweight,
    float* partials,
    unsigned int* tickets,
    int pixels,
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
  int channel = static_cast<int>(blockIdx.y) * WIDTH;
  float sums[R][S][WIDTH] = {};
  long long step = static_cast<long long>(gridDim.x) * THREADS;
  for (long long pixel = global_thread(); pixel < pixels; pixel += step) {
    Taps taps(
        x,
        static_cast<unsigned int>(pixel),
        h,
        w,
        h_out,
        w_out,
        stride_h,
        stride_w,
        dilation_h,
        dilation_w,
        pad_h,
        pad_w);
    float g[WIDTH];
    load(dy + pixel * channels + channel, g);
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int s = 0; s < S; s++) {
#pragma unroll
        for (int k = 0; k < WIDTH; k++) {
          sums[r][s][k] = fmaf(g[k], taps.at[r][s], sums[r][s][k]);
        }
      }
    }
  }
  long long stride = static_cast<long long>(channels) * (R * S);
  float* own = partials + blockIdx.x * stride + channel * (R * S);
#pragma unroll
  for (int r = 0; r < R; r++) {
    add_threads(sums[r], own + r * S);
  }
  if (!last_block(tickets + blockIdx.y, gridDim.x)) {
    return;
  }
  for (int first = 0; first < R * S * WIDTH; first += THREADS / PARTS) {
    int v = first + static_cast<int>(threadIdx.x) / PARTS;
    double sum = 0;
    if (v < R * S * WIDTH) {
      // Several at a time, all on their way before the first is added: each comes from far.
      for (unsigned int block = threadIdx.x % PARTS; block < gridDim.x; block += AT_ONCE * PARTS) {
        float part[AT_ONCE];
#pragma unroll
        for (unsigned int i = 0; i < AT_ONCE; i++) {
          unsigned int other = block + i * PARTS;
          part[i] = other < gridDim.x ? partials[other * stride + channel * (R * S) + v] : 0;
        }
#pragma unroll
        for (unsigned int i = 0; i < AT_ONCE; i++) {
          sum += part[i];
        }
      }
    }
    for (int distance = PARTS / 2; distance > 0; distance /= 2) {
      sum += __shfl_xor_sync(0xFFFFFFFFu, sum, distance);
    }
    if (v < R * S * WIDTH && threadIdx.x % PARTS == 0) {
      dweight[channel * (R * S) + v] = static_cast<float>(sum);
    }
  }
}
