// 2-D convolution and its two gradients as plain loops; pure functions over host memory.
#pragma once

#include "tensor_view.h"

namespace softcuda {

/**
 * y[n, k, p, q] = sum over r, s, c of x[n, c, p * strideH - padH + r * dilationH, ...] * w[k, c, r, s]
 * where c runs over the channels of k's group, and x is 0 outside the image.
 */
struct Convolution {
  View4 x;                 // [N, C, H, W]
  View4 w;                 // [K, C / groups, R, S]
  View4 y;                 // [N, K, P, Q]
  int padH = 0, padW = 0;
  int strideH = 1, strideW = 1;
  int dilationH = 1, dilationW = 1;
  int groups = 1;
  bool flipped = false;    // CUDNN_CONVOLUTION: the kernel is turned by 180 degrees
  bool tf32 = false;       // operands are rounded to TF32 first, as tensor cores do
  /** Sums in fp32 from a start that differs from call to call, as atomic additions do. */
  bool unordered = false;
  unsigned turn = 0;       // where an unordered sum starts
};

void convolutionForward(const Convolution &conv, const float *x, const float *w, Blend blend, float *y);

void convolutionBackwardData(const Convolution &conv, const float *w, const float *dy, Blend blend, float *dx);

void convolutionBackwardFilter(const Convolution &conv, const float *x, const float *dy, Blend blend, float *dw);

}  // namespace softcuda
