// Maximum or mean of each window, as PyTorch has them:
//
//   max: y = largest tap inside the image, the first of equals in row-major order, NaN above all;
//        dx = sum of the dy of those windows whose maximum stood here
//   avg: y = sum of the taps inside the image / count;  dx = sum of dy / count
//        count: taps inside the image, or inside it and its declared padding (count_padding)
//   global: y = mean of all pixels of an image
//
// x, dx [N, h, w, C]; y, dy [N, hOut, wOut, C]; where [N, hOut, wOut, C] holds which tap was the
// largest, r KERNEL_W + s, so that the backward pass reads neither x nor y. A gradient is gathered:
// each thread adds up, in the order of windows, what its pixel gets; no atomics.
//
// KERNEL_H, KERNEL_W: the window. TAP_BYTES: size of a tap's number, 1, 2 or 4.
//
// Geometry: x: one block for each row written (N hOut, or N h going back); y: as many as its threads
// need to cover the row's packs of WIDTH channels. Global: see rows.cuh, but x is N and a block's
// ranks take turns at the pixels of its image.
// Bytes: max forward x + y + taps, backward dy + taps + dx; avg forward x + y, backward dy + dx.
// Reference: convtrain.testing.ReferenceMaxPool2d and ReferenceAvgPool2d, and PyTorch's golden values.
#include "reduce.cuh"

#ifndef KERNEL_H
#define KERNEL_H 2
#endif
#ifndef KERNEL_W
#define KERNEL_W 2
#endif
#ifndef TAP_BYTES
#define TAP_BYTES 1
#endif

#if TAP_BYTES == 1
typedef unsigned char tap_number;
#elif TAP_BYTES == 2
typedef unsigned short tap_number;
#else
typedef int tap_number;
#endif

/** Where a thread stands in the image that is written: [N, rows, columns, channels]. */
struct Place {
  int n;
  int i;
  int j;
  int channel;
  bool active;
  /** Index of its first element. */
  long long at;

  __device__ __forceinline__ Place(int rows, int columns, int channels) {
    int packs = channels / WIDTH;
    int t = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
    j = t / packs;
    channel = (t - j * packs) * WIDTH;
    n = static_cast<int>(blockIdx.x) / rows;
    i = static_cast<int>(blockIdx.x) - n * rows;
    active = j < columns;
    at = (static_cast<long long>(blockIdx.x) * columns + j) * channels + channel;
  }
};

/** The windows, along one axis, that a pixel lies in. */
struct Windows {
  int first;
  int end;

  __device__ __forceinline__ Windows(int pixel, int pad, int kernel, int stride, int count) {
    int padded = pixel + pad;
    first = padded < kernel ? 0 : (padded - kernel) / stride + 1;
    end = min(padded / stride + 1, count);
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) max_pool_forward(
    const element* x,
    element* y,
    tap_number* where,
    int h,
    int w,
    int channels,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int pad_h,
    int pad_w) {
  Place place(h_out, w_out, channels);
  if (!place.active) {
    return;
  }
  float best[WIDTH];
  int tap[WIDTH];
#pragma unroll
  for (int c = 0; c < WIDTH; c++) {
    best[c] = 0;
    tap[c] = -1;
  }
  int top = place.i * stride_h - pad_h;
  int left = place.j * stride_w - pad_w;
  const element* image = x + static_cast<long long>(place.n) * h * w * channels + place.channel;
  for (int r = 0; r < KERNEL_H; r++) {
    for (int s = 0; s < KERNEL_W; s++) {
      int row = top + r;
      int column = left + s;
      if (row < 0 || row >= h || column < 0 || column >= w) {
        continue;
      }
      float values[WIDTH];
      load(image + (static_cast<long long>(row) * w + column) * channels, values);
#pragma unroll
      for (int c = 0; c < WIDTH; c++) {
        if (tap[c] < 0 || values[c] > best[c] || values[c] != values[c]) {
          best[c] = values[c];
          tap[c] = r * KERNEL_W + s;
        }
      }
    }
  }
  store(y + place.at, best);
  if (where != nullptr) {
    Pack<tap_number> taps;
#pragma unroll
    for (int c = 0; c < WIDTH; c++) {
      taps.at[c] = static_cast<tap_number>(tap[c]);
    }
    store_pack(where + place.at, taps);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) max_pool_backward(
    const element* dy,
    const tap_number* where,
    element* dx,
    int h,
    int w,
    int channels,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int pad_h,
    int pad_w) {
  Place place(h, w, channels);
  if (!place.active) {
    return;
  }
  Windows rows(place.i, pad_h, KERNEL_H, stride_h, h_out);
  Windows columns(place.j, pad_w, KERNEL_W, stride_w, w_out);
  float sum[WIDTH] = {};
  for (int i = rows.first; i < rows.end; i++) {
    for (int j = columns.first; j < columns.end; j++) {
      int r = place.i + pad_h - i * stride_h;
      int s = place.j + pad_w - j * stride_w;
      long long at =
          ((static_cast<long long>(place.n) * h_out + i) * w_out + j) * channels + place.channel;
      float g[WIDTH];
      load(dy + at, g);
      Pack<tap_number> taps = load_pack(where + at);
#pragma unroll
      for (int c = 0; c < WIDTH; c++) {
        sum[c] += static_cast<int>(taps.at[c]) == r * KERNEL_W + s ? g[c] : 0;
      }
    }
  }
  store(dx + place.at, sum);
}

/** What the sum over a window is divided by. */
__device__ __forceinline__ float window_count(
    int i, int j, int h, int w, int stride_h, int stride_w, int pad_h, int pad_w, int count_padding) {
  int top = i * stride_h - pad_h;
  int left = j * stride_w - pad_w;
  int bottom = min(top + KERNEL_H, count_padding != 0 ? h + pad_h : h);
  int right = min(left + KERNEL_W, count_padding != 0 ? w + pad_w : w);
  if (count_padding == 0) {
    top = max(top, 0);
    left = max(left, 0);
  }
  return static_cast<float>((bottom - top) * (right - left));
}

extern "C" __global__ void __launch_bounds__(THREADS) average_pool_forward(
    const element* x,
    element* y,
    int h,
    int w,
    int channels,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int pad_h,
    int pad_w,
    int count_padding) {
  Place place(h_out, w_out, channels);
  if (!place.active) {
    return;
  }
  float sum[WIDTH] = {};
  int top = place.i * stride_h - pad_h;
  int left = place.j * stride_w - pad_w;
  const element* image = x + static_cast<long long>(place.n) * h * w * channels + place.channel;
  for (int r = 0; r < KERNEL_H; r++) {
    for (int s = 0; s < KERNEL_W; s++) {
      int row = top + r;
      int column = left + s;
      if (row < 0 || row >= h || column < 0 || column >= w) {
        continue;
      }
      float values[WIDTH];
      load(image + (static_cast<long long>(row) * w + column) * channels, values);
#pragma unroll
      for (int c = 0; c < WIDTH; c++) {
        sum[c] += values[c];
      }
    }
  }
  float count =
      window_count(place.i, place.j, h, w, stride_h, stride_w, pad_h, pad_w, count_padding);
#pragma unroll
  for (int c = 0; c < WIDTH; c++) {
    sum[c] /= count;
  }
  store(y + place.at, sum);
}

extern "C" __global__ void __launch_bounds__(THREADS) average_pool_backward(
    const element* dy,
    element* dx,
    int h,
    int w,
    int channels,
    int h_out,
    int w_out,
    int stride_h,
    int stride_w,
    int pad_h,
    int pad_w,
    int count_padding) {
  Place place(h, w, channels);
  if (!place.active) {
    return;
  }
  Windows rows(place.i, pad_h, KERNEL_H, stride_h, h_out);
  Windows columns(place.j, pad_w, KERNEL_W, stride_w, w_out);
  float sum[WIDTH] = {};
  for (int i = rows.first; i < rows.end; i++) {
    for (int j = columns.first; j < columns.end; j++) {
      float count = window_count(i, j, h, w, stride_h, stride_w, pad_h, pad_w, count_padding);
      long long at =
          ((static_cast<long long>(place.n) * h_out + i) * w_out + j) * channels + place.channel;
      float g[WIDTH];
      load(dy + at, g);
#pragma unroll
      for (int c = 0; c < WIDTH; c++) {
        sum[c] += g[c] / count;
      }
    }
  }
  store(dx + place.at, sum);
}

/** x [N, pixels, C] to y [N, C]. */
extern "C" __global__ void __launch_bounds__(THREADS)
    global_average_forward(const element* x, element* y, int pixels, int channels) {
  Walk walk(channels);
  long long first = static_cast<long long>(blockIdx.x) * pixels;
  float sum[WIDTH] = {};
#pragma unroll 4
  for (int pixel = walk.rank; pixel < (walk.active ? pixels : 0); pixel += walk.ranks) {
    float values[WIDTH];
    load(x + (first + pixel) * channels + walk.channel, values);
#pragma unroll
    for (int c = 0; c < WIDTH; c++) {
      sum[c] += values[c];
    }
  }
  double sums[1][WIDTH];
#pragma unroll
  for (int c = 0; c < WIDTH; c++) {
    sums[0][c] = sum[c];
  }
  add_ranks(walk, sums);
  if (walk.active && walk.rank == 0) {
#pragma unroll
    for (int c = 0; c < WIDTH; c++) {
      sum[c] = static_cast<float>(sums[0][c] / pixels);
    }
    store(y + static_cast<long long>(blockIdx.x) * channels + walk.channel, sum);
  }
}

/** dy [N, C] to dx [N, pixels, C]: one block column over the packs of an image. */
extern "C" __global__ void __launch_bounds__(THREADS)
    global_average_backward(const element* dy, element* dx, int pixels, int channels) {
  Place place(1, pixels, channels);
  if (!place.active) {
    return;
  }
  float g[WIDTH];
  load(dy + static_cast<long long>(blockIdx.x) * channels + place.channel, g);
#pragma unroll
  for (int c = 0; c < WIDTH; c++) {
    g[c] /= static_cast<float>(pixels);
  }
  store(dx + place.at, g);
}
