// Batch normalisation: training, inference, backward.
//
// The per-activation mode is not there, nor are bf16 activations, which cuDNN does not promise in all
// three passes.
#include "cudnn_api.h"
#include "norm_math.h"

namespace softcuda {
namespace {

constexpr double kMinEpsilon = 0.0;  // CUDNN_BN_MIN_EPSILON

struct Optional {
  std::string what;
  const void *address;
  size_t bytes;

  float *use(Access access) const {
    return address == nullptr ? nullptr : device<float>(address, bytes, access, what);
  }
};

void requireSpatial(int mode) {
  require(mode == CUDNN_BATCHNORM_SPATIAL || mode == CUDNN_BATCHNORM_SPATIAL_PERSISTENT,
          mode == CUDNN_BATCHNORM_PER_ACTIVATION ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM,
          "mode " + std::to_string(mode));
}

View4 imageView(const TensorDescriptor *descriptor, const char *what, const char *call) {
  View4 result = operandView(descriptor, what, call);
  require(result.type != Element::BF16, CUDNN_STATUS_NOT_SUPPORTED, std::string(what) + " is bf16");
  return result;
}

void requireParameters(const View4 &parameters, const View4 &x) {
  require(parameters.type == Element::F32, CUDNN_STATUS_NOT_SUPPORTED, "the parameters are not fp32");
  require(parameters.n == 1 && parameters.c == x.c && parameters.h == 1 && parameters.w == 1, CUDNN_STATUS_BAD_PARAM,
          "the parameters are not [1, " + std::to_string(x.c) + ", 1, 1]");
}

void requireBothOrNeither(const void *a, const void *b, const char *what) {
  require((a == nullptr) == (b == nullptr), CUDNN_STATUS_BAD_PARAM, std::string("one of the ") + what + " is null");
}

void requireEpsilon(double epsilon) {
  require(epsilon >= kMinEpsilon, CUDNN_STATUS_BAD_PARAM, "epsilon " + std::to_string(epsilon));
}

struct Training {
  const char *call;
  CudnnHandle *handle;
  int mode;
  const void *alpha, *beta;
  TensorDescriptor *xDesc;
  const void *x;
  TensorDescriptor *yDesc;
  void *y;
  TensorDescriptor *parameterDesc;
  const void *scale, *bias;
  double factor;
  void *runningMean, *runningVariance;
  double epsilon;
  void *saveMean, *saveInvVariance;
};

void train(const Training &t) {
  CudnnHandle &checked = liveHandle(t.handle, t.call);
  requireSpatial(t.mode);
  View4 xView = imageView(t.xDesc, "x", t.call);
  View4 yView = imageView(t.yDesc, "y", t.call);
  View4 parameterView = operandView(t.parameterDesc, "parameters", t.call);
  requireSameType(xView, yView, "x and y");
  require(xView.sameDims(yView), CUDNN_STATUS_BAD_PARAM, "x and y differ in dimensions");
  requireParameters(parameterView, xView);
  requireBothOrNeither(t.runningMean, t.runningVariance, "running statistics");
  requireBothOrNeither(t.saveMean, t.saveInvVariance, "saved statistics");
  requireEpsilon(t.epsilon);
  Blend blend = blendOf(t.alpha, t.beta);
  const char *call = t.call;
  Operand in(call, "x", t.x, xView), out(call, "y", t.y, yView);
  Operand scale(call, "scale", t.scale, parameterView), bias(call, "bias", t.bias, parameterView);
  requireApart(out, {in, scale, bias});
  auto optional = [&](const char *name, const void *address) {
    return Optional{std::string(call) + " " + name, address, scale.bytes};
  };
  Optional runningMean = optional("running mean", t.runningMean);
  Optional runningVariance = optional("running variance", t.runningVariance);
  Optional saveMean = optional("saved mean", t.saveMean);
  Optional saveInvVariance = optional("saved inverse variance", t.saveInvVariance);
  double factor = t.factor, epsilon = t.epsilon;
  submit(checked, call, [=] {
    BatchStatistics statistics{runningMean.use(Access::ReadWrite), runningVariance.use(Access::ReadWrite),
                               saveMean.use(Access::Write), saveInvVariance.use(Access::Write)};
    batchNormTraining(xView, in.read(), yView, blend, out.blended(blend), scale.read(), bias.read(), factor, epsilon,
                      statistics);
    spendBytes(2 * in.bytes + out.bytes);
  });
}

struct Backward {
  const char *call;
  CudnnHandle *handle;
  int mode;
  const void *alphaData, *betaData, *alphaParameter, *betaParameter;
  TensorDescriptor *xDesc;
  const void *x;
  TensorDescriptor *dyDesc;
  const void *dy;
  TensorDescriptor *dxDesc;
  void *dx;
  TensorDescriptor *parameterDesc;
  const void *scale;
  void *dScale, *dBias;
  double epsilon;
  const void *savedMean, *savedInvVariance;
};

void backward(const Backward &b) {
  CudnnHandle &checked = liveHandle(b.handle, b.call);
  requireSpatial(b.mode);
  View4 xView = imageView(b.xDesc, "x", b.call);
  View4 dyView = imageView(b.dyDesc, "dy", b.call);
  View4 dxView = imageView(b.dxDesc, "dx", b.call);
  View4 parameterView = operandView(b.parameterDesc, "parameters", b.call);
  requireSameType(xView, dyView, "x and dy");
  requireSameType(xView, dxView, "x and dx");
  require(xView.sameDims(dyView) && xView.sameDims(dxView), CUDNN_STATUS_BAD_PARAM,
          "x, dy and dx differ in dimensions");
  requireParameters(parameterView, xView);
  requireBothOrNeither(b.savedMean, b.savedInvVariance, "saved statistics");
  requireEpsilon(b.epsilon);
  Blend dataBlend = blendOf(b.alphaData, b.betaData);
  Blend parameterBlend = blendOf(b.alphaParameter, b.betaParameter);
  const char *call = b.call;
  Operand in(call, "x", b.x, xView), gradient(call, "dy", b.dy, dyView), out(call, "dx", b.dx, dxView);
  Operand scale(call, "scale", b.scale, parameterView);
  Operand dScale(call, "dScale", b.dScale, parameterView), dBias(call, "dBias", b.dBias, parameterView);
  requireApart(out, {in, gradient, scale, dScale, dBias});
  requireApart(dScale, {in, gradient, scale, dBias});
  requireApart(dBias, {in, gradient, scale});
  Optional savedMean{std::string(call) + " saved mean", b.savedMean, scale.bytes};
  Optional savedInvVariance{std::string(call) + " saved inverse variance", b.savedInvVariance, scale.bytes};
  double epsilon = b.epsilon;
  submit(checked, call, [=] {
    batchNormBackward(xView, in.read(), dyView, gradient.read(), dxView, dataBlend, out.blended(dataBlend),
                      scale.read(), parameterBlend, dScale.blended(parameterBlend), dBias.blended(parameterBlend),
                      epsilon, savedMean.use(Access::Read), savedInvVariance.use(Access::Read));
    spendBytes(2 * (in.bytes + gradient.bytes) + out.bytes);
  });
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnDeriveBNTensorDescriptor(TensorDescriptor *derived, TensorDescriptor *xDesc, int mode) {
  const char *call = "cudnnDeriveBNTensorDescriptor";
  return entry(call, [&] {
    requireSpatial(mode);
    View4 x = view(xDesc, "x", call);
    TensorDescriptor &target = live(derived, call);
    // Parameters of half precision data are fp32.
    target.type = xDesc->type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
    const int dim[] = {1, x.c, 1, 1};
    const int stride[] = {x.c, 1, 1, 1};
    std::copy(dim, dim + 4, target.dim);
    std::copy(stride, stride + 4, target.stride);
  });
}

CUDNN_ENTRY int cudnnBatchNormalizationForwardTraining(
    CudnnHandle *handle, int mode, const void *alpha, const void *beta, TensorDescriptor *xDesc, const void *x,
    TensorDescriptor *yDesc, void *y, TensorDescriptor *parameterDesc, const void *scale, const void *bias,
    double factor, void *runningMean, void *runningVariance, double epsilon, void *saveMean, void *saveInvVariance) {
  const char *call = "cudnnBatchNormalizationForwardTraining";
  return entry(call, [&] {
    train({call, handle, mode, alpha, beta, xDesc, x, yDesc, y, parameterDesc, scale, bias, factor, runningMean,
           runningVariance, epsilon, saveMean, saveInvVariance});
  });
}

CUDNN_ENTRY int cudnnBatchNormalizationForwardInference(CudnnHandle *handle, int mode, const void *alpha,
                                                        const void *beta, TensorDescriptor *xDesc, const void *x,
                                                        TensorDescriptor *yDesc, void *y,
                                                        TensorDescriptor *parameterDesc, const void *scale,
                                                        const void *bias, const void *mean, const void *variance,
                                                        double epsilon) {
  const char *call = "cudnnBatchNormalizationForwardInference";
  return entry(call, [&] {
    CudnnHandle &checked = liveHandle(handle, call);
    requireSpatial(mode);
    View4 xView = imageView(xDesc, "x", call);
    View4 yView = imageView(yDesc, "y", call);
    View4 parameterView = operandView(parameterDesc, "parameters", call);
    requireSameType(xView, yView, "x and y");
    require(xView.sameDims(yView), CUDNN_STATUS_BAD_PARAM, "x and y differ in dimensions");
    requireParameters(parameterView, xView);
    requireEpsilon(epsilon);
    Blend blend = blendOf(alpha, beta);
    Operand in(call, "x", x, xView), out(call, "y", y, yView);
    Operand scales(call, "scale", scale, parameterView), biases(call, "bias", bias, parameterView);
    Operand means(call, "mean", mean, parameterView), variances(call, "variance", variance, parameterView);
    requireApart(out, {in, scales, biases, means, variances});
    submit(checked, call, [=] {
      batchNormInference(xView, in.read(), yView, blend, out.blended(blend), scales.read(), biases.read(),
                         means.read(), variances.read(), epsilon);
      spendBytes(in.bytes + out.bytes);
    });
  });
}

CUDNN_ENTRY int cudnnBatchNormalizationBackward(
    CudnnHandle *handle, int mode, const void *alphaData, const void *betaData, const void *alphaParameter,
    const void *betaParameter, TensorDescriptor *xDesc, const void *x, TensorDescriptor *dyDesc, const void *dy,
    TensorDescriptor *dxDesc, void *dx, TensorDescriptor *parameterDesc, const void *scale, void *dScale, void *dBias,
    double epsilon, const void *savedMean, const void *savedInvVariance) {
  const char *call = "cudnnBatchNormalizationBackward";
  return entry(call, [&] {
    backward({call, handle, mode, alphaData, betaData, alphaParameter, betaParameter, xDesc, x, dyDesc, dy, dxDesc, dx,
              parameterDesc, scale, dScale, dBias, epsilon, savedMean, savedInvVariance});
  });
}
