// Activations, softmax and the addition of a broadcast tensor.
#include <algorithm>
#include <cmath>

#include "cudnn_api.h"

namespace softcuda {
namespace {

template <class Body>
void forEachElement(const View4 &view, Body body) {
  for (int n = 0; n < view.n; n++) {
    for (int h = 0; h < view.h; h++) {
      for (int w = 0; w < view.w; w++) {
        for (int c = 0; c < view.c; c++) {
          body(n, c, h, w);
        }
      }
    }
  }
}

double activate(const ActivationDescriptor &set, double x) {
  switch (set.mode) {
    case CUDNN_ACTIVATION_SIGMOID:
      return 1 / (1 + std::exp(-x));
    case CUDNN_ACTIVATION_TANH:
      return std::tanh(x);
    case CUDNN_ACTIVATION_ELU:
      return x > 0 ? x : set.coefficient * std::expm1(x);
    default:
      if (std::isnan(x)) {
        return set.nan == CUDNN_PROPAGATE_NAN ? x : 0;
      }
      return set.mode == CUDNN_ACTIVATION_CLIPPED_RELU ? std::min(std::max(x, 0.0), set.coefficient)
                                                       : std::max(x, 0.0);
  }
}

/** dx, from the output y and the input x that gave it. */
double activationGradient(const ActivationDescriptor &set, double y, double dy, double x) {
  switch (set.mode) {
    case CUDNN_ACTIVATION_SIGMOID:
      return dy * y * (1 - y);
    case CUDNN_ACTIVATION_TANH:
      return dy * (1 - y * y);
    case CUDNN_ACTIVATION_ELU:
      return x > 0 ? dy : dy * (y + set.coefficient);
    case CUDNN_ACTIVATION_CLIPPED_RELU:
      return x > 0 && x < set.coefficient ? dy : 0;
    default:
      if (std::isnan(x) && set.nan == CUDNN_PROPAGATE_NAN) {
        return x;
      }
      return x > 0 ? dy : 0;
  }
}

const ActivationDescriptor &liveSet(const ActivationDescriptor *descriptor, const char *call) {
  const ActivationDescriptor &set = live(descriptor, call);
  require(set.mode != -1, CUDNN_STATUS_BAD_PARAM, "the activation descriptor was never set");
  return set;
}

void requireAlike(const View4 &a, const View4 &b, const char *what) {
  requireSameType(a, b, what);
  require(a.sameDims(b), CUDNN_STATUS_BAD_PARAM, std::string(what) + " differ in dimensions");
}

/** The elements that one softmax runs over: all channels of a pixel, or all elements of an image. */
struct SoftmaxGroups {
  View4 view;
  int mode;

  int count() const { return mode == CUDNN_SOFTMAX_MODE_CHANNEL ? view.n * view.h * view.w : view.n; }
  int size() const { return mode == CUDNN_SOFTMAX_MODE_CHANNEL ? view.c : view.c * view.h * view.w; }

  /** Where element i of a group lies in a tensor of these dimensions. */
  long at(const View4 &in, int group, int i) const {
    int area = view.h * view.w;
    return mode == CUDNN_SOFTMAX_MODE_CHANNEL
               ? in.at(group / area, i, group % area / view.w, group % view.w)
               : in.at(group, i / area, i % area / view.w, i % view.w);
  }
};

/** log of the sum of exp(x), without overflow. */
double logSumExp(const std::vector<double> &x) {
  double max = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double value : x) {
    sum += std::exp(value - max);
  }
  return max + std::log(sum);
}

/** One group, in place. FAST takes exp in fp32 with no maximum subtracted: large inputs overflow. */
void softmax(int algorithm, std::vector<double> &x) {
  if (algorithm == CUDNN_SOFTMAX_FAST) {
    double sum = 0;
    for (double &value : x) {
      value = std::exp(static_cast<float>(value));
      sum += value;
    }
    for (double &value : x) {
      value /= sum;
    }
    return;
  }
  double total = logSumExp(x);
  for (double &value : x) {
    value = algorithm == CUDNN_SOFTMAX_LOG ? value - total : std::exp(value - total);
  }
}

void softmaxForward(int algorithm, const SoftmaxGroups &groups, const View4 &xView, const float *x, const View4 &yView,
                    Blend blend, float *y) {
  std::vector<double> values(groups.size());
  for (int g = 0; g < groups.count(); g++) {
    for (int i = 0; i < groups.size(); i++) {
      values[i] = x[groups.at(xView, g, i)];
    }
    softmax(algorithm, values);
    for (int i = 0; i < groups.size(); i++) {
      blend.store(y + groups.at(yView, g, i), values[i]);
    }
  }
}

/** dx = y * (dy - sum(y * dy)), of log softmax dy - exp(y) * sum(dy). */
void softmaxBackward(int algorithm, const SoftmaxGroups &groups, const View4 &yView, const float *y,
                     const View4 &dyView, const float *dy, const View4 &dxView, Blend blend, float *dx) {
  bool log = algorithm == CUDNN_SOFTMAX_LOG;
  for (int g = 0; g < groups.count(); g++) {
    double sum = 0;
    for (int i = 0; i < groups.size(); i++) {
      double gradient = dy[groups.at(dyView, g, i)];
      sum += log ? gradient : gradient * y[groups.at(yView, g, i)];
    }
    for (int i = 0; i < groups.size(); i++) {
      double gradient = dy[groups.at(dyView, g, i)];
      double value = y[groups.at(yView, g, i)];
      blend.store(dx + groups.at(dxView, g, i), log ? gradient - std::exp(value) * sum : value * (gradient - sum));
    }
  }
}

void requireSoftmax(int algorithm, int mode) {
  require(algorithm >= CUDNN_SOFTMAX_FAST && algorithm <= CUDNN_SOFTMAX_LOG, CUDNN_STATUS_BAD_PARAM, "algorithm");
  require(mode == CUDNN_SOFTMAX_MODE_INSTANCE || mode == CUDNN_SOFTMAX_MODE_CHANNEL, CUDNN_STATUS_BAD_PARAM, "mode");
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnActivationForward(CudnnHandle *handle, ActivationDescriptor *descriptor, const void *alpha,
                                       TensorDescriptor *xDesc, const void *x, const void *beta,
                                       TensorDescriptor *yDesc, void *y) {
  const char *call = "cudnnActivationForward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    ActivationDescriptor set = liveSet(descriptor, call);
    View4 xView = operandView(xDesc, "x", call);
    View4 yView = operandView(yDesc, "y", call);
    requireAlike(xView, yView, "x and y");
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, xView);
    Operand out(call, "y", y, yView);
    requireApartOrInPlace(out, yView, in, xView);
    submit(checked, call, [=] {
      Input from = in.read();
      Output to = out.blended(blend);
      forEachElement(xView, [&](int n, int c, int h, int w) {
        blend.store(to + yView.at(n, c, h, w), activate(set, from[xView.at(n, c, h, w)]));
      });
      spendBytes(in.bytes + out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnActivationBackward(CudnnHandle *handle, ActivationDescriptor *descriptor, const void *alpha,
                                        TensorDescriptor *yDesc, const void *y, TensorDescriptor *dyDesc,
                                        const void *dy, TensorDescriptor *xDesc, const void *x, const void *beta,
                                        TensorDescriptor *dxDesc, void *dx) {
  const char *call = "cudnnActivationBackward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    ActivationDescriptor set = liveSet(descriptor, call);
    View4 yView = operandView(yDesc, "y", call);
    View4 dyView = operandView(dyDesc, "dy", call);
    View4 xView = operandView(xDesc, "x", call);
    View4 dxView = operandView(dxDesc, "dx", call);
    for (const View4 &other : {dyView, xView, dxView}) {
      requireAlike(yView, other, "y, dy, x and dx");
    }
    require(yView.sameStrides(dyView) && xView.sameStrides(dxView), CUDNN_STATUS_NOT_SUPPORTED,
            "a gradient is strided unlike its values");
    Blend blend = blendOf(alpha, beta);
    Operand value(call, "y", y, yView);
    Operand gradient(call, "dy", dy, dyView);
    Operand in(call, "x", x, xView);
    Operand out(call, "dx", dx, dxView);
    requireApartOrInPlace(out, dxView, gradient, dyView);
    requireApart(out, {value, in});
    submit(checked, call, [=] {
      Input ys = value.read();
      Input dys = gradient.read();
      Input xs = in.read();
      Output to = out.blended(blend);
      forEachElement(xView, [&](int n, int c, int h, int w) {
        double result = activationGradient(set, ys[yView.at(n, c, h, w)], dys[dyView.at(n, c, h, w)],
                                           xs[xView.at(n, c, h, w)]);
        blend.store(to + dxView.at(n, c, h, w), result);
      });
      spendBytes(4 * out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnSoftmaxForward(CudnnHandle *handle, int algorithm, int mode, const void *alpha,
                                    TensorDescriptor *xDesc, const void *x, const void *beta, TensorDescriptor *yDesc,
                                    void *y) {
  const char *call = "cudnnSoftmaxForward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    requireSoftmax(algorithm, mode);
    View4 xView = operandView(xDesc, "x", call);
    View4 yView = operandView(yDesc, "y", call);
    requireAlike(xView, yView, "x and y");
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, xView);
    Operand out(call, "y", y, yView);
    requireApartOrInPlace(out, yView, in, xView);
    submit(checked, call, [=] {
      softmaxForward(algorithm, {xView, mode}, xView, in.read(), yView, blend, out.blended(blend));
      spendBytes(in.bytes + out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnSoftmaxBackward(CudnnHandle *handle, int algorithm, int mode, const void *alpha,
                                     TensorDescriptor *yDesc, const void *y, TensorDescriptor *dyDesc, const void *dy,
                                     const void *beta, TensorDescriptor *dxDesc, void *dx) {
  const char *call = "cudnnSoftmaxBackward";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    requireSoftmax(algorithm, mode);
    View4 yView = operandView(yDesc, "y", call);
    View4 dyView = operandView(dyDesc, "dy", call);
    View4 dxView = operandView(dxDesc, "dx", call);
    requireAlike(yView, dyView, "y and dy");
    requireAlike(yView, dxView, "y and dx");
    require(yView.sameStrides(dyView), CUDNN_STATUS_NOT_SUPPORTED, "y and dy differ in strides");
    Blend blend = blendOf(alpha, beta);
    Operand value(call, "y", y, yView);
    Operand gradient(call, "dy", dy, dyView);
    Operand out(call, "dx", dx, dxView);
    requireApartOrInPlace(out, dxView, gradient, dyView);
    requireApart(out, {value});
    submit(checked, call, [=] {
      softmaxBackward(algorithm, {yView, mode}, yView, value.read(), dyView, gradient.read(), dxView, blend,
                      out.blended(blend));
      spendBytes(3 * out.bytes);
    });
  });
}

/** c = alpha * a + beta * c, where each dimension of a is that of c or 1. */
CUDNN_ENTRY int cudnnAddTensor(CudnnHandle *handle, const void *alpha, TensorDescriptor *aDesc, const void *a,
                               const void *beta, TensorDescriptor *cDesc, void *c) {
  const char *call = "cudnnAddTensor";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    View4 aView = operandView(aDesc, "A", call);
    View4 cView = operandView(cDesc, "C", call);
    requireSameType(aView, cView, "A and C");
    auto broadcasts = [](int from, int to) { return from == to || from == 1; };
    require(broadcasts(aView.n, cView.n) && broadcasts(aView.c, cView.c) && broadcasts(aView.h, cView.h) &&
                broadcasts(aView.w, cView.w),
            CUDNN_STATUS_BAD_PARAM, "a dimension of A is neither C's nor 1");
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "A", a, aView);
    Operand out(call, "C", c, cView);
    requireApart(out, {in});
    submit(checked, call, [=] {
      Input from = in.read();
      Output to = out.blended(blend);
      forEachElement(cView, [&](int n, int ch, int h, int w) {
        long at = aView.at(std::min(n, aView.n - 1), std::min(ch, aView.c - 1), std::min(h, aView.h - 1),
                           std::min(w, aView.w - 1));
        blend.store(to + cView.at(n, ch, h, w), from[at]);
      });
      spendBytes(in.bytes + 2 * out.bytes);
    });
  });
}
