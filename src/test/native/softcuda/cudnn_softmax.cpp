// Softmax, its logarithm, and their gradients.
#include <algorithm>
#include <cmath>

#include "cudnn_api.h"

namespace softcuda {
namespace {

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
