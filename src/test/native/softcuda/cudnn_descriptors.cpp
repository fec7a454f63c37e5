// cuDNN's descriptors: created, set in their 4-D and N-D forms, destroyed; what views of them the
// other files compute with.
#include "cudnn_api.h"

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

void requireDims(int dims, int least) {
  require(dims >= least && dims <= kMaxDims, CUDNN_STATUS_NOT_SUPPORTED, std::to_string(dims) + " dimensions");
}

void requirePositive(const int *values, int count, const char *what) {
  require(values != nullptr, CUDNN_STATUS_BAD_PARAM, std::string("null ") + what);
  for (int i = 0; i < count; i++) {
    require(values[i] > 0, CUDNN_STATUS_BAD_PARAM, std::string(what) + " " + std::to_string(values[i]));
  }
}

/** Fewer than 2 Gi elements from the first to the last, as cuDNN demands. */
void requireAddressable(const int *dim, const int *stride, int dims) {
  int64_t last = 0;
  for (int i = 0; i < dims; i++) {
    last += static_cast<int64_t>(dim[i] - 1) * stride[i];
  }
  require(last < INT32_MAX, CUDNN_STATUS_NOT_SUPPORTED, "2 Gi elements or more");
}

/** Strides of a dense tensor whose dimensions are [n, c, spatial ...]. */
void denseStrides(int format, const int *dim, int dims, int *stride) {
  int64_t next = 1;
  auto assign = [&](int i) {
    require(next <= INT32_MAX, CUDNN_STATUS_NOT_SUPPORTED, "2 Gi elements or more");
    stride[i] = static_cast<int>(next);
    next *= dim[i];
  };
  if (format == CUDNN_TENSOR_NHWC) {
    assign(1);
    for (int i = dims - 1; i >= 2; i--) {
      assign(i);
    }
    assign(0);
  } else {
    for (int i = dims - 1; i >= 0; i--) {
      assign(i);
    }
  }
}

void setTensor(TensorDescriptor *descriptor, const char *call, int type, int dims, const int *dim, const int *stride) {
  TensorDescriptor &tensor = live(descriptor, call);
  elementOf(type);
  requireDims(dims, 3);
  requirePositive(dim, dims, "dimension");
  requirePositive(stride, dims, "stride");
  requireAddressable(dim, stride, dims);
  tensor.type = type;
  tensor.dims = dims;
  std::copy(dim, dim + dims, tensor.dim);
  std::copy(stride, stride + dims, tensor.stride);
}

void setTensor(TensorDescriptor *descriptor, const char *call, int format, int type, int dims, const int *dim) {
  requireFormat(format);
  requireDims(dims, 3);
  requirePositive(dim, dims, "dimension");
  int stride[kMaxDims];
  denseStrides(format, dim, dims, stride);
  setTensor(descriptor, call, type, dims, dim, stride);
}

void setFilter(FilterDescriptor *descriptor, const char *call, int type, int format, int dims, const int *dim) {
  FilterDescriptor &filter = live(descriptor, call);
  elementOf(type);
  requireFormat(format);
  requireDims(dims, 3);
  requirePositive(dim, dims, "dimension");
  int stride[kMaxDims];
  denseStrides(format, dim, dims, stride);
  filter.type = type;
  filter.format = format;
  filter.dims = dims;
  std::copy(dim, dim + dims, filter.dim);
}

void setConvolution(ConvolutionDescriptor *descriptor, const char *call, const int *pad, const int *stride,
                    const int *dilation, int mode, int computeType) {
  ConvolutionDescriptor &convolution = live(descriptor, call);
  require(pad != nullptr && pad[0] >= 0 && pad[1] >= 0, CUDNN_STATUS_BAD_PARAM, "negative padding");
  requirePositive(stride, 2, "stride");
  requirePositive(dilation, 2, "dilation");
  require(mode == CUDNN_CONVOLUTION || mode == CUDNN_CROSS_CORRELATION, CUDNN_STATUS_BAD_PARAM, "mode");
  elementOf(computeType);
  convolution.padH = pad[0];
  convolution.padW = pad[1];
  convolution.strideH = stride[0];
  convolution.strideW = stride[1];
  convolution.dilationH = dilation[0];
  convolution.dilationW = dilation[1];
  convolution.mode = mode;
  convolution.computeType = computeType;
}

void setPooling(PoolingDescriptor *descriptor, const char *call, int mode, int nan, const int *window, const int *pad,
                const int *stride) {
  PoolingDescriptor &pooling = live(descriptor, call);
  require(mode >= CUDNN_POOLING_MAX && mode <= CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_STATUS_BAD_PARAM, "mode");
  require(nan == CUDNN_NOT_PROPAGATE_NAN || nan == CUDNN_PROPAGATE_NAN, CUDNN_STATUS_BAD_PARAM, "NaN option");
  requirePositive(window, 2, "window");
  requirePositive(stride, 2, "stride");
  require(pad != nullptr && pad[0] >= 0 && pad[1] >= 0, CUDNN_STATUS_BAD_PARAM, "negative padding");
  pooling.mode = mode;
  pooling.nan = nan;
  pooling.windowH = window[0];
  pooling.windowW = window[1];
  pooling.padH = pad[0];
  pooling.padW = pad[1];
  pooling.strideH = stride[0];
  pooling.strideW = stride[1];
}

}  // namespace

View4 view(const TensorDescriptor *descriptor, const char *what, const char *call) {
  const TensorDescriptor &tensor = live(descriptor, call);
  require(tensor.type != -1, CUDNN_STATUS_BAD_PARAM, std::string(what) + " was never set");
  require(tensor.dims == 4, CUDNN_STATUS_NOT_SUPPORTED,
          std::string(what) + " has " + std::to_string(tensor.dims) + " dimensions, the software device computes in 4");
  return {tensor.dim[0],    tensor.dim[1],    tensor.dim[2],    tensor.dim[3],
          tensor.stride[0], tensor.stride[1], tensor.stride[2], tensor.stride[3], elementOf(tensor.type)};
}

View4 view(const FilterDescriptor &filter) {
  int stride[kMaxDims];
  denseStrides(filter.format, filter.dim, 4, stride);
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

CUDNN_ENTRY int cudnnCreateActivationDescriptor(ActivationDescriptor **d) {
  return create("cudnnCreateActivationDescriptor", d);
}

CUDNN_ENTRY int cudnnDestroyTensorDescriptor(TensorDescriptor *d) { return destroy("cudnnDestroyTensorDescriptor", d); }

CUDNN_ENTRY int cudnnDestroyFilterDescriptor(FilterDescriptor *d) { return destroy("cudnnDestroyFilterDescriptor", d); }

CUDNN_ENTRY int cudnnDestroyConvolutionDescriptor(ConvolutionDescriptor *d) {
  return destroy("cudnnDestroyConvolutionDescriptor", d);
}

CUDNN_ENTRY int cudnnDestroyPoolingDescriptor(PoolingDescriptor *d) {
  return destroy("cudnnDestroyPoolingDescriptor", d);
}

CUDNN_ENTRY int cudnnDestroyActivationDescriptor(ActivationDescriptor *d) {
  return destroy("cudnnDestroyActivationDescriptor", d);
}

CUDNN_ENTRY int cudnnSetTensor4dDescriptor(TensorDescriptor *d, int format, int type, int n, int c, int h, int w) {
  return entry("cudnnSetTensor4dDescriptor", [&] {
    const int dim[] = {n, c, h, w};
    setTensor(d, "cudnnSetTensor4dDescriptor", format, type, 4, dim);
  });
}

CUDNN_ENTRY int cudnnSetTensor4dDescriptorEx(TensorDescriptor *d, int type, int n, int c, int h, int w, int nStride,
                                             int cStride, int hStride, int wStride) {
  return entry("cudnnSetTensor4dDescriptorEx", [&] {
    const int dim[] = {n, c, h, w};
    const int stride[] = {nStride, cStride, hStride, wStride};
    setTensor(d, "cudnnSetTensor4dDescriptorEx", type, 4, dim, stride);
  });
}

CUDNN_ENTRY int cudnnSetTensorNdDescriptor(TensorDescriptor *d, int type, int dims, const int *dim, const int *stride) {
  return entry("cudnnSetTensorNdDescriptor",
               [&] { setTensor(d, "cudnnSetTensorNdDescriptor", type, dims, dim, stride); });
}

CUDNN_ENTRY int cudnnSetTensorNdDescriptorEx(TensorDescriptor *d, int format, int type, int dims, const int *dim) {
  return entry("cudnnSetTensorNdDescriptorEx",
               [&] { setTensor(d, "cudnnSetTensorNdDescriptorEx", format, type, dims, dim); });
}

CUDNN_ENTRY int cudnnSetFilter4dDescriptor(FilterDescriptor *d, int type, int format, int k, int c, int h, int w) {
  return entry("cudnnSetFilter4dDescriptor", [&] {
    const int dim[] = {k, c, h, w};
    setFilter(d, "cudnnSetFilter4dDescriptor", type, format, 4, dim);
  });
}

CUDNN_ENTRY int cudnnSetFilterNdDescriptor(FilterDescriptor *d, int type, int format, int dims, const int *dim) {
  return entry("cudnnSetFilterNdDescriptor",
               [&] { setFilter(d, "cudnnSetFilterNdDescriptor", type, format, dims, dim); });
}

CUDNN_ENTRY int cudnnSetConvolution2dDescriptor(ConvolutionDescriptor *d, int padH, int padW, int strideH, int strideW,
                                                int dilationH, int dilationW, int mode, int computeType) {
  return entry("cudnnSetConvolution2dDescriptor", [&] {
    const int pad[] = {padH, padW};
    const int stride[] = {strideH, strideW};
    const int dilation[] = {dilationH, dilationW};
    setConvolution(d, "cudnnSetConvolution2dDescriptor", pad, stride, dilation, mode, computeType);
  });
}

CUDNN_ENTRY int cudnnSetConvolutionNdDescriptor(ConvolutionDescriptor *d, int dims, const int *pad, const int *stride,
                                                const int *dilation, int mode, int computeType) {
  return entry("cudnnSetConvolutionNdDescriptor", [&] {
    require(dims == 2, CUDNN_STATUS_NOT_SUPPORTED, "the software device has 2 spatial dimensions");
    setConvolution(d, "cudnnSetConvolutionNdDescriptor", pad, stride, dilation, mode, computeType);
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
    const int window[] = {windowH, windowW};
    const int pad[] = {padH, padW};
    const int stride[] = {strideH, strideW};
    setPooling(d, "cudnnSetPooling2dDescriptor", mode, nan, window, pad, stride);
  });
}

CUDNN_ENTRY int cudnnSetPoolingNdDescriptor(PoolingDescriptor *d, int mode, int nan, int dims, const int *window,
                                            const int *pad, const int *stride) {
  return entry("cudnnSetPoolingNdDescriptor", [&] {
    require(dims == 2, CUDNN_STATUS_NOT_SUPPORTED, "the software device has 2 spatial dimensions");
    setPooling(d, "cudnnSetPoolingNdDescriptor", mode, nan, window, pad, stride);
  });
}

CUDNN_ENTRY int cudnnSetActivationDescriptor(ActivationDescriptor *d, int mode, int nan, double coefficient) {
  return entry("cudnnSetActivationDescriptor", [&] {
    ActivationDescriptor &activation = live(d, "cudnnSetActivationDescriptor");
    // Identity and swish exist in cuDNN, but its stand-alone activation calls take no identity.
    require(mode >= CUDNN_ACTIVATION_SIGMOID && mode <= CUDNN_ACTIVATION_ELU, CUDNN_STATUS_BAD_PARAM, "mode");
    require(nan == CUDNN_NOT_PROPAGATE_NAN || nan == CUDNN_PROPAGATE_NAN, CUDNN_STATUS_BAD_PARAM, "NaN option");
    activation.mode = mode;
    activation.nan = nan;
    activation.coefficient = coefficient;
  });
}
