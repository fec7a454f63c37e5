// Pooling: maximum and average, forward and backward.
//
// Conventions of cuDNN's that differ from PyTorch's or are easily missed:
//  - an average that counts padding divides by the window's whole size, also where the window hangs
//    over the padded image's end;
//  - y's height and width may be those of cudnnGetPooling2dForwardOutputDim or one larger, if the last
//    window still starts inside the image or its leading padding;
//  - nothing says which of equal maxima gets the gradient. Here it is the last one in
//    CUDNN_POOLING_MAX_DETERMINISTIC, and in CUDNN_POOLING_MAX one that changes from call to call;
//  - the maximum's place is found again in x by comparing with y, so y must be what forward wrote.
#include <atomic>
#include <cmath>
#include <limits>

#include "cudnn_api.h"

namespace softcuda {
namespace {

struct Pooling {
  View4 x, y;
  PoolingDescriptor set;

  bool maximum() const { return set.mode == CUDNN_POOLING_MAX || set.mode == CUDNN_POOLING_MAX_DETERMINISTIC; }
};

/** The part of an output element's window that lies inside the image. */
struct Window {
  int top, bottom, left, right;  // bottom and right exclusive

  Window(const Pooling &pool, int p, int q) {
    int startH = p * pool.set.strideH - pool.set.padH;
    int startW = q * pool.set.strideW - pool.set.padW;
    top = std::max(startH, 0);
    left = std::max(startW, 0);
    bottom = std::min(startH + pool.set.windowH, pool.x.h);
    right = std::min(startW + pool.set.windowW, pool.x.w);
  }
  int elements() const { return (bottom - top) * (right - left); }
};

int outputSize(int in, int pad, int window, int stride) {
  int span = in + 2 * pad - window;
  return span < 0 ? 0 : 1 + span / stride;
}

const PoolingDescriptor &liveSet(const PoolingDescriptor *descriptor, const char *call) {
  const PoolingDescriptor &set = live(descriptor, call);
  require(set.mode != -1, CUDNN_STATUS_BAD_PARAM, "the pooling descriptor was never set");
  return set;
}

void requireOutputSize(int actual, int in, int pad, int window, int stride, const char *what) {
  int floor = outputSize(in, pad, window, stride);
  bool lastWindowStartsInside = (actual - 1) * stride - pad < in;
  require(floor > 0 && (actual == floor || (actual == floor + 1 && lastWindowStartsInside)), CUDNN_STATUS_BAD_PARAM,
          std::string("output ") + what + " " + std::to_string(actual) + ", expected " + std::to_string(floor));
}

Pooling poolingOf(const PoolingDescriptor *descriptor, const TensorDescriptor *x, const TensorDescriptor *y,
                  const char *call) {
  Pooling pool;
  pool.set = liveSet(descriptor, call);
  pool.x = operandView(x, "x", call);
  pool.y = operandView(y, "y", call);
  requireSameType(pool.x, pool.y, "x and y");
  require(pool.x.n == pool.y.n && pool.x.c == pool.y.c, CUDNN_STATUS_BAD_PARAM, "x and y differ in n or c");
  require(pool.set.padH < pool.set.windowH && pool.set.padW < pool.set.windowW, CUDNN_STATUS_BAD_PARAM,
          "padding as large as the window");
  requireOutputSize(pool.y.h, pool.x.h, pool.set.padH, pool.set.windowH, pool.set.strideH, "height");
  requireOutputSize(pool.y.w, pool.x.w, pool.set.padW, pool.set.windowW, pool.set.strideW, "width");
  return pool;
}

template <class Body>
void forEachOutput(const Pooling &pool, Body body) {
  for (int n = 0; n < pool.y.n; n++) {
    for (int p = 0; p < pool.y.h; p++) {
      for (int q = 0; q < pool.y.w; q++) {
        Window window(pool, p, q);
        for (int c = 0; c < pool.y.c; c++) {
          body(n, c, p, q, window);
        }
      }
    }
  }
}

float maximum(const Pooling &pool, const float *x, int n, int c, const Window &window) {
  float max = -std::numeric_limits<float>::infinity();
  for (int h = window.top; h < window.bottom; h++) {
    for (int w = window.left; w < window.right; w++) {
      float value = x[pool.x.at(n, c, h, w)];
      if (std::isnan(value) ? pool.set.nan == CUDNN_PROPAGATE_NAN : value > max) {
        max = value;
        if (std::isnan(value)) {
          return value;
        }
      }
    }
  }
  return max;
}

double divisor(const Pooling &pool, const Window &window) {
  return pool.set.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? pool.set.windowH * pool.set.windowW
                                                                      : window.elements();
}

double average(const Pooling &pool, const float *x, int n, int c, const Window &window) {
  double sum = 0;
  for (int h = window.top; h < window.bottom; h++) {
    for (int w = window.left; w < window.right; w++) {
      sum += x[pool.x.at(n, c, h, w)];
    }
  }
  return sum / divisor(pool, window);
}

void forward(const Pooling &pool, const float *x, Blend blend, float *y) {
  forEachOutput(pool, [&](int n, int c, int p, int q, const Window &window) {
    double value = pool.maximum() ? maximum(pool, x, n, c, window) : average(pool, x, n, c, window);
    blend.store(y + pool.y.at(n, c, p, q), value);
  });
}

/** Where in x the maximum was: of equal ones the `turn`th, counted round; -1 where none equals y. */
long placeOfMaximum(const Pooling &pool, const float *x, float y, int n, int c, const Window &window, unsigned turn) {
  long last = -1;
  long chosen = -1;
  unsigned equals = 0;
  for (int h = window.top; h < window.bottom; h++) {
    for (int w = window.left; w < window.right; w++) {
      long at = pool.x.at(n, c, h, w);
      if (x[at] == y || (std::isnan(x[at]) && std::isnan(y))) {
        last = at;
        if (equals++ == turn) {
          chosen = at;
        }
      }
    }
  }
  return chosen >= 0 ? chosen : last;
}

void backward(const Pooling &pool, const float *x, const float *y, const View4 &dyView, const float *dy,
              const View4 &dxView, Blend blend, float *dx, unsigned turn) {
  std::vector<double> sums(pool.x.extent());
  forEachOutput(pool, [&](int n, int c, int p, int q, const Window &window) {
    double gradient = dy[dyView.at(n, c, p, q)];
    if (pool.maximum()) {
      long at = placeOfMaximum(pool, x, y[pool.y.at(n, c, p, q)], n, c, window, turn);
      if (at >= 0) {
        sums[at] += gradient;
      }
      return;
    }
    for (int h = window.top; h < window.bottom; h++) {
      for (int w = window.left; w < window.right; w++) {
        sums[pool.x.at(n, c, h, w)] += gradient / divisor(pool, window);
      }
    }
  });
  for (int n = 0; n < pool.x.n; n++) {
    for (int h = 0; h < pool.x.h; h++) {
      for (int w = 0; w < pool.x.w; w++) {
        for (int c = 0; c < pool.x.c; c++) {
          blend.store(dx + dxView.at(n, c, h, w), sums[pool.x.at(n, c, h, w)]);
        }
      }
    }
  }
}

/** Which of equal maxima an execution takes: always the last, or in the plain mode one that changes. */
unsigned tieBreak(const Pooling &pool) {
  static std::atomic<unsigned> executions{0};
  return pool.set.mode == CUDNN_POOLING_MAX ? executions.fetch_add(1) % 4 : std::numeric_limits<unsigned>::max();
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnGetPooling2dForwardOutputDim(PoolingDescriptor *descriptor, TensorDescriptor *xDesc, int *n,
                                                  int *c, int *h, int *w) {
  const char *call = "cudnnGetPooling2dForwardOutputDim";
  return entry(call, [&] {
    const PoolingDescriptor &set = liveSet(descriptor, call);
    View4 x = view(xDesc, "x", call);
    *n = x.n;
    *c = x.c;
    *h = outputSize(x.h, set.padH, set.windowH, set.strideH);
    *w = outputSize(x.w, set.padW, set.windowW, set.strideW);
  });
}

CUDNN_ENTRY int cudnnPoolingForward(CudnnHandle *handle, PoolingDescriptor *descriptor, const void *alpha,
                                    TensorDescriptor *xDesc, const void *x, const void *beta, TensorDescriptor *yDesc,
                                    void *y) {
  const char *call = "cudnnPoolingForward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    Pooling pool = poolingOf(descriptor, xDesc, yDesc, call);
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, pool.x);
    Operand out(call, "y", y, pool.y);
    requireApart(out, {in});
    submit(checked, call, [=] {
      forward(pool, in.read(), blend, out.blended(blend));
      spendBytes(in.bytes + out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnPoolingBackward(CudnnHandle *handle, PoolingDescriptor *descriptor, const void *alpha,
                                     TensorDescriptor *yDesc, const void *y, TensorDescriptor *dyDesc, const void *dy,
                                     TensorDescriptor *xDesc, const void *x, const void *beta, TensorDescriptor *dxDesc,
                                     void *dx) {
  const char *call = "cudnnPoolingBackward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    Pooling pool = poolingOf(descriptor, xDesc, yDesc, call);
    View4 dyView = operandView(dyDesc, "dy", call);
    View4 dxView = operandView(dxDesc, "dx", call);
    // cuDNN wants the gradients strided like the values they belong to.
    require(dyView.sameDims(pool.y) && dyView.sameStrides(pool.y), CUDNN_STATUS_BAD_PARAM, "y and dy differ");
    require(dxView.sameDims(pool.x) && dxView.sameStrides(pool.x), CUDNN_STATUS_BAD_PARAM, "x and dx differ");
    requireSameType(pool.y, dyView, "y and dy");
    requireSameType(pool.x, dxView, "x and dx");
    Blend blend = blendOf(alpha, beta);
    Operand value(call, "y", y, pool.y);
    Operand gradient(call, "dy", dy, dyView);
    Operand in(call, "x", x, pool.x);
    Operand out(call, "dx", dx, dxView);
    requireApart(out, {value, gradient, in});
    submit(checked, call, [=] {
      backward(pool, in.read(), value.read(), dyView, gradient.read(), dxView, blend, out.blended(blend),
               tieBreak(pool));
      spendBytes(in.bytes + out.bytes + value.bytes + gradient.bytes);
    });
  });
}
