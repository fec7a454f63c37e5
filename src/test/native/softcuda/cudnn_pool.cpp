// Pooling: the largest value of each window or its mean, and their gradients.
//
// Of equal maxima the last gets the gradient: cuDNN does not say which. A maximum's gradient needs x and y
// as the forward pass left them; a mean's depends on neither, but the memory must be there. The mode that
// promises reproducible gradients of maxima is not there.
#include <algorithm>
#include <cmath>

#include "cudnn_api.h"

namespace softcuda {
namespace {

/** One pooling and the tensors it runs between. */
struct Pooling {
  PoolingDescriptor descriptor;
  View4 x, y;

  bool isMax() const { return descriptor.mode == CUDNN_POOLING_MAX; }
};

/** The pixels of a window that lie inside the image. */
struct Window {
  int top, bottom, left, right;

  Window(const Pooling &p, int i, int j)
      : top(std::max(i * p.descriptor.strideH - p.descriptor.padH, 0)),
        bottom(std::min(i * p.descriptor.strideH - p.descriptor.padH + p.descriptor.windowH, p.x.h)),
        left(std::max(j * p.descriptor.strideW - p.descriptor.padW, 0)),
        right(std::min(j * p.descriptor.strideW - p.descriptor.padW + p.descriptor.windowW, p.x.w)) {}

  template <class Visit>
  void eachPixel(Visit visit) const {
    for (int h = top; h < bottom; h++) {
      for (int w = left; w < right; w++) {
        visit(h, w);
      }
    }
  }

  /** What a mean divides by. */
  double count(const PoolingDescriptor &d) const {
    return d.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING
               ? static_cast<double>(d.windowH) * d.windowW
               : static_cast<double>(bottom - top) * (right - left);
  }
};

/** Whether a value displaces the largest so far: NaN does, or never does, as the descriptor says. */
bool displaces(const PoolingDescriptor &d, float value, float largest) {
  if (std::isnan(value) || std::isnan(largest)) {
    return d.nan == CUDNN_PROPAGATE_NAN ? std::isnan(value) : std::isnan(largest);
  }
  return value >= largest;
}

/** Where the largest value of a window of channel c of image n lies in x. */
long largestAt(const Pooling &p, const Window &window, const float *x, int n, int c) {
  long best = -1;
  window.eachPixel([&](int h, int w) {
    long at = p.x.at(n, c, h, w);
    if (best < 0 || displaces(p.descriptor, x[at], x[best])) {
      best = at;
    }
  });
  return best;
}

double meanOf(const Pooling &p, const Window &window, const float *x, int n, int c) {
  double sum = 0;
  window.eachPixel([&](int h, int w) { sum += x[p.x.at(n, c, h, w)]; });
  return sum / window.count(p.descriptor);
}

template <class Visit>
void eachElement(const View4 &view, Visit visit) {
  for (int n = 0; n < view.n; n++) {
    for (int c = 0; c < view.c; c++) {
      for (int h = 0; h < view.h; h++) {
        for (int w = 0; w < view.w; w++) {
          visit(n, c, h, w);
        }
      }
    }
  }
}

void poolForward(const Pooling &p, const float *x, Blend blend, float *y) {
  eachElement(p.y, [&](int n, int c, int i, int j) {
    Window window(p, i, j);
    double value = p.isMax() ? x[largestAt(p, window, x, n, c)] : meanOf(p, window, x, n, c);
    blend.store(y + p.y.at(n, c, i, j), value);
  });
}

void poolBackward(const Pooling &p, const float *x, const float *y, const float *dy, Blend blend, float *dx) {
  std::vector<double> sums(p.x.extent(), 0.0);
  eachElement(p.y, [&](int n, int c, int i, int j) {
    Window window(p, i, j);
    long here = p.y.at(n, c, i, j);
    if (p.isMax()) {
      long at = largestAt(p, window, x, n, c);
      if (x[at] == y[here] || (std::isnan(x[at]) && std::isnan(y[here]))) {
        sums[at] += dy[here];
      }
    } else {
      double share = dy[here] / window.count(p.descriptor);
      window.eachPixel([&](int h, int w) { sums[p.x.at(n, c, h, w)] += share; });
    }
  });
  eachElement(p.x, [&](int n, int c, int h, int w) {
    long at = p.x.at(n, c, h, w);
    blend.store(dx + at, sums[at]);
  });
}

const PoolingDescriptor &setPooling(const PoolingDescriptor *descriptor, const char *call) {
  const PoolingDescriptor &pooling = live(descriptor, call);
  require(pooling.mode != -1, CUDNN_STATUS_BAD_PARAM, "the pooling was never set");
  return pooling;
}

int windows(int in, int pad, int window, int stride) {
  require(in + 2 * pad >= window, CUDNN_STATUS_BAD_PARAM, "not one window fits");
  return 1 + (in + 2 * pad - window) / stride;
}

int rowsOf(const PoolingDescriptor &d, const View4 &x) { return windows(x.h, d.padH, d.windowH, d.strideH); }

int columnsOf(const PoolingDescriptor &d, const View4 &x) { return windows(x.w, d.padW, d.windowW, d.strideW); }

Pooling poolingOf(PoolingDescriptor *descriptor, TensorDescriptor *xDesc, TensorDescriptor *yDesc, const char *call) {
  Pooling pooling{setPooling(descriptor, call), operandView(xDesc, "x", call), operandView(yDesc, "y", call)};
  const PoolingDescriptor &d = pooling.descriptor;
  const View4 &x = pooling.x, &y = pooling.y;
  require(d.mode != CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_STATUS_NOT_SUPPORTED, "no reproducible maxima here");
  require(d.padH < d.windowH && d.padW < d.windowW, CUDNN_STATUS_NOT_SUPPORTED, "windows of padding alone");
  requireSameType(x, y, "x and y");
  require(x.n == y.n && x.c == y.c, CUDNN_STATUS_BAD_PARAM, "x and y differ in n or c");
  require(y.h == rowsOf(d, x) && y.w == columnsOf(d, x), CUDNN_STATUS_BAD_PARAM, "y has not the windows of x");
  return pooling;
}

void requireEqual(const View4 &a, const View4 &b, const char *what) {
  requireSameType(a, b, what);
  require(a.sameDims(b) && a.sameStrides(b), CUDNN_STATUS_BAD_PARAM,
          std::string(what) + " differ in dimensions or strides");
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnGetPooling2dForwardOutputDim(PoolingDescriptor *descriptor, TensorDescriptor *xDesc, int *n,
                                                  int *c, int *h, int *w) {
  const char *call = "cudnnGetPooling2dForwardOutputDim";
  return entry(call, [&] {
    const PoolingDescriptor &d = setPooling(descriptor, call);
    View4 x = view(xDesc, "x", call);
    require(n != nullptr && c != nullptr && h != nullptr && w != nullptr, CUDNN_STATUS_BAD_PARAM, "null pointer");
    *h = rowsOf(d, x);
    *w = columnsOf(d, x);
    *n = x.n;
    *c = x.c;
  });
}

CUDNN_ENTRY int cudnnPoolingForward(CudnnHandle *handle, PoolingDescriptor *descriptor, const void *alpha,
                                    TensorDescriptor *xDesc, const void *x, const void *beta, TensorDescriptor *yDesc,
                                    void *y) {
  const char *call = "cudnnPoolingForward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    Pooling pooling = poolingOf(descriptor, xDesc, yDesc, call);
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, pooling.x), out(call, "y", y, pooling.y);
    requireApart(out, {in});
    submit(checked, call, [=] {
      poolForward(pooling, in.read(), blend, out.blended(blend));
      spendBytes(in.bytes + out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnPoolingBackward(CudnnHandle *handle, PoolingDescriptor *descriptor, const void *alpha,
                                     TensorDescriptor *yDesc, const void *y, TensorDescriptor *dyDesc, const void *dy,
                                     TensorDescriptor *xDesc, const void *x, const void *beta,
                                     TensorDescriptor *dxDesc, void *dx) {
  const char *call = "cudnnPoolingBackward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    Pooling pooling = poolingOf(descriptor, xDesc, yDesc, call);
    requireEqual(pooling.y, operandView(dyDesc, "dy", call), "y and dy");
    requireEqual(pooling.x, operandView(dxDesc, "dx", call), "x and dx");
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, pooling.x), result(call, "y", y, pooling.y);
    Operand gradient(call, "dy", dy, pooling.y), out(call, "dx", dx, pooling.x);
    requireApart(out, {in, result, gradient});
    submit(checked, call, [=] {
      poolBackward(pooling, in.read(), result.read(), gradient.read(), blend, out.blended(blend));
      spendBytes(in.bytes + result.bytes + gradient.bytes + out.bytes);
    });
  });
}
