// cuDNN's descriptors: created, set, destroyed; what views of them the other files compute with.
#include "cudnn_api.h"

#include <algorithm>
#include <initializer_list>

namespace softcuda {
namespace {

template <class T>
int create(const char *call, T **descriptor) {
  return entry(call, [&] {
    require(descriptor != nullptr, CUDNN_STATUS_BAD_PARAM, "null pointer");
    *descriptor = new T();
    track(T::kind, *descriptor, call);
  });
}

/** Contents stay readable: a late use is reported by name instead of reading freed memory. */
template <class T>
int destroy(const char *call, T *descriptor) {
  return entry(call, [&] {
    require(descriptor != nullptr && untrack(T::kind, descriptor, call), CUDNN_STATUS_BAD_PARAM,
            "not a live descriptor");
  });
}

void requireFormat(int format) {
  require(format == CUDNN_TENSOR_NCHW || format == CUDNN_TENSOR_NHWC, CUDNN_STATUS_NOT_SUPPORTED,
          "format " + std::to_string(format));
}

void requirePositive(std::initializer_list<int> values, const char *what) {
  for (int value : values) {
    require(value > 0, CUDNN_STATUS_BAD_PARAM, std::string(what) + " " + std::to_string(value));
  }
}

/** Strides of a dense tensor [n, c, h, w]: fewer than 2 Gi elements, as cuDNN demands. */
void denseStrides(int format, const int *dim, int *stride) {
  const int nhwc[] = {1, 3, 2, 0}, nchw[] = {3, 2, 1, 0};
  int64_t next = 1;
  for (int i : format == CUDNN_TENSOR_NHWC ? nhwc : nchw) {
    stride[i] = static_cast<int>(next);
    next *= dim[i];
    require(next <= INT32_MAX, CUDNN_STATUS_NOT_SUPPORTED, "2 Gi elements or more");
  }
}

}  // namespace

View4 view(const TensorDescriptor *descriptor, const char *what, const char *call) {
  const TensorDescriptor &tensor = live(descriptor, call);
  require(tensor.type != -1, CUDNN_STATUS_BAD_PARAM, std::string(what) + " was never set");
  return {tensor.dim[0],    tensor.dim[1],    tensor.dim[2],    tensor.dim[3],
          tensor.stride[0], tensor.stride[1], tensor.stride[2], tensor.stride[3], elementOf(tensor.type)};
}

View4 view(const FilterDescriptor &filter) {
  int stride[4];
  denseStrides(filter.format, filter.dim, stride);
  return {filter.dim[0], filter.dim[1], filter.dim[2], filter.dim[3],        stride[0],
          stride[1],     stride[2],     stride[3],     elementOf(filter.type)};
}

View4 operandView(const TensorDescriptor *descriptor, const char *what, const char *call) {
  View4 result = view(descriptor, what, call);
  require(result.type != Element::F64, CUDNN_STATUS_NOT_SUPPORTED,
          std::string(what) + ": the software device has no fp64 loops");
  return result;
}

}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnCreateTensorDescriptor(TensorDescriptor **d) { return create("cudnnCreateTensorDescriptor", d); }

CUDNN_ENTRY int cudnnCreateFilterDescriptor(FilterDescriptor **d) { return create("cudnnCreateFilterDescriptor", d); }

CUDNN_ENTRY int cudnnCreateConvolutionDescriptor(ConvolutionDescriptor **d) {
  return create("cudnnCreateConvolutionDescriptor", d);
}

CUDNN_ENTRY int cudnnCreatePoolingDescriptor(PoolingDescriptor **d) {
  return create("cudnnCreatePoolingDescriptor", d);
}

CUDNN_ENTRY int cudnnDestroyTensorDescriptor(TensorDescriptor *d) { return destroy("cudnnDestroyTensorDescriptor", d); }

CUDNN_ENTRY int cudnnDestroyFilterDescriptor(FilterDescriptor *d) { return destroy("cudnnDestroyFilterDescriptor", d); }

CUDNN_ENTRY int cudnnDestroyConvolutionDescriptor(ConvolutionDescriptor *d) {
  return destroy("cudnnDestroyConvolutionDescriptor", d);
}

CUDNN_ENTRY int cudnnDestroyPoolingDescriptor(PoolingDescriptor *d) {
  return destroy("cudnnDestroyPoolingDescriptor", d);
}

CUDNN_ENTRY int cudnnSetTensor4dDescriptor(TensorDescriptor *d, int format, int type, int n, int c, int h, int w) {
  return entry("cudnnSetTensor4dDescriptor", [&] {
    TensorDescriptor &tensor = live(d, "cudnnSetTensor4dDescriptor");
    const int dim[] = {n, c, h, w};
    int stride[4];
    elementOf(type);
    requireFormat(format);
    requirePositive({n, c, h, w}, "dimension");
    denseStrides(format, dim, stride);
    tensor.type = type;
    std::copy(dim, dim + 4, tensor.dim);
    std::copy(stride, stride + 4, tensor.stride);
  });
}

CUDNN_ENTRY int cudnnSetFilter4dDescriptor(FilterDescriptor *d, int type, int format, int k, int c, int h, int w) {
  return entry("cudnnSetFilter4dDescriptor", [&] {
    FilterDescriptor &filter = live(d, "cudnnSetFilter4dDescriptor");
    const int dim[] = {k, c, h, w};
    int stride[4];
    elementOf(type);
    requireFormat(format);
    requirePositive({k, c, h, w}, "dimension");
    denseStrides(format, dim, stride);
    filter.type = type;
    filter.format = format;
    std::copy(dim, dim + 4, filter.dim);
  });
}

CUDNN_ENTRY int cudnnSetConvolution2dDescriptor(ConvolutionDescriptor *d, int padH, int padW, int strideH, int strideW,
                                                int dilationH, int dilationW, int mode, int computeType) {
  return entry("cudnnSetConvolution2dDescriptor", [&] {
    ConvolutionDescriptor &convolution = live(d, "cudnnSetConvolution2dDescriptor");
    require(padH >= 0 && padW >= 0, CUDNN_STATUS_BAD_PARAM, "negative padding");
    requirePositive({strideH, strideW}, "stride");
    requirePositive({dilationH, dilationW}, "dilation");
    require(mode == CUDNN_CONVOLUTION || mode == CUDNN_CROSS_CORRELATION, CUDNN_STATUS_BAD_PARAM, "mode");
    elementOf(computeType);
    convolution.padH = padH;
    convolution.padW = padW;
    convolution.strideH = strideH;
    convolution.strideW = strideW;
    convolution.dilationH = dilationH;
    convolution.dilationW = dilationW;
    convolution.mode = mode;
    convolution.computeType = computeType;
  });
}

CUDNN_ENTRY int cudnnSetConvolutionGroupCount(ConvolutionDescriptor *d, int groups) {
  return entry("cudnnSetConvolutionGroupCount", [&] {
    ConvolutionDescriptor &convolution = live(d, "cudnnSetConvolutionGroupCount");
    require(groups > 0, CUDNN_STATUS_BAD_PARAM, "groups");
    convolution.groups = groups;
  });
}

CUDNN_ENTRY int cudnnSetConvolutionMathType(ConvolutionDescriptor *d, int mathType) {
  return entry("cudnnSetConvolutionMathType", [&] {
    ConvolutionDescriptor &convolution = live(d, "cudnnSetConvolutionMathType");
    require(mathType >= CUDNN_DEFAULT_MATH && mathType <= CUDNN_FMA_MATH, CUDNN_STATUS_BAD_PARAM, "math type");
    convolution.mathType = mathType;
  });
}

CUDNN_ENTRY int cudnnSetPooling2dDescriptor(PoolingDescriptor *d, int mode, int nan, int windowH, int windowW, int padH,
                                            int padW, int strideH, int strideW) {
  return entry("cudnnSetPooling2dDescriptor", [&] {
    PoolingDescriptor &pooling = live(d, "cudnnSetPooling2dDescriptor");
    require(mode >= CUDNN_POOLING_MAX && mode <= CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_STATUS_BAD_PARAM, "mode");
    require(nan == CUDNN_NOT_PROPAGATE_NAN || nan == CUDNN_PROPAGATE_NAN, CUDNN_STATUS_BAD_PARAM, "NaN propagation");
    requirePositive({windowH, windowW}, "window");
    requirePositive({strideH, strideW}, "stride");
    require(padH >= 0 && padW >= 0, CUDNN_STATUS_BAD_PARAM, "negative padding");
    pooling = {mode, nan, windowH, windowW, padH, padW, strideH, strideW};
  });
}
