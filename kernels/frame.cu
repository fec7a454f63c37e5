// Images moved into a frame of another size, for convolutions whose padding differs between top and
// bottom or left and right:
//
//   out[n, i, j, c] = in[n, i - top, j - left, c], or 0 outside of in
//
// in [N, hIn, wIn, C], out [N, hOut, wOut, C]. Positive offsets pad, negative ones cut out.
//
// Geometry: x: one block for each row of out (N hOut); y: as many as its threads need to cover the
// wOut C / WIDTH packs of a row.
// Bytes: reads in, writes out, once each.
// Reference: the golden cases of conv2d with padding "same" and an even kernel.
#include "element.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) frame(
    const element* in,
    element* out,
    int h_in,
    int w_in,
    int h_out,
    int w_out,
    int channels,
    int top,
    int left) {
  int columns = channels / WIDTH;
  int t = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (t >= w_out * columns) {
    return;
  }
  int j = t / columns;
  int channel = (t - j * columns) * WIDTH;
  int n = static_cast<int>(blockIdx.x) / h_out;
  int i = static_cast<int>(blockIdx.x) - n * h_out;
  int h = i - top;
  int w = j - left;
  float values[WIDTH] = {};
  if (h >= 0 && h < h_in && w >= 0 && w < w_in) {
    load(in + ((static_cast<long long>(n) * h_in + h) * w_in + w) * channels + channel, values);
  }
  store(out + (static_cast<long long>(blockIdx.x) * w_out + j) * channels + channel, values);
}
