// What the software cuDNN shares among its files: constants of the cuDNN 9 interface, the contents of
// its handles and descriptors, and the frame that every entry point runs in.
//
// An entry point is one `entry(name, body)`: the body checks its arguments with require(), whose
// refusal becomes the status returned, and submits work that reads and writes device memory later.
// CUDNN_LOGDEST_DBG=stderr prints the reason of each refusal, as the variable does for the real one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "operand.h"

#define CUDNN_ENTRY extern "C" SOFTCUDA_API

namespace softcuda {

enum : int {
  CUDNN_STATUS_SUCCESS = 0,
  CUDNN_STATUS_NOT_INITIALIZED = 1001,
  CUDNN_STATUS_BAD_PARAM = 2000,
  CUDNN_STATUS_NOT_SUPPORTED = 3000,
  CUDNN_STATUS_INTERNAL_ERROR = 4000,
  CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED = 4004,
  CUDNN_STATUS_EXECUTION_FAILED = 5000,
  CUDNN_STATUS_EXECUTION_FAILED_CUDART = 5003,
};
enum : int { CUDNN_DATA_FLOAT = 0, CUDNN_DATA_DOUBLE = 1, CUDNN_DATA_HALF = 2, CUDNN_DATA_BFLOAT16 = 9 };
enum : int { CUDNN_TENSOR_NCHW = 0, CUDNN_TENSOR_NHWC = 1 };
enum : int { CUDNN_NON_DETERMINISTIC = 0, CUDNN_DETERMINISTIC = 1 };
enum : int { CUDNN_CONVOLUTION = 0, CUDNN_CROSS_CORRELATION = 1 };
enum : int {
  CUDNN_DEFAULT_MATH = 0,
  CUDNN_TENSOR_OP_MATH = 1,
  CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION = 2,
  CUDNN_FMA_MATH = 3,
};
enum : int { CUDNN_SOFTMAX_FAST = 0, CUDNN_SOFTMAX_ACCURATE = 1, CUDNN_SOFTMAX_LOG = 2 };
enum : int { CUDNN_SOFTMAX_MODE_INSTANCE = 0, CUDNN_SOFTMAX_MODE_CHANNEL = 1 };
enum : int {
  CUDNN_POOLING_MAX = 0,
  CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING = 1,
  CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING = 2,
  CUDNN_POOLING_MAX_DETERMINISTIC = 3,
};
enum : int { CUDNN_NOT_PROPAGATE_NAN = 0, CUDNN_PROPAGATE_NAN = 1 };
enum : int {
  CUDNN_BATCHNORM_PER_ACTIVATION = 0,
  CUDNN_BATCHNORM_SPATIAL = 1,
  CUDNN_BATCHNORM_SPATIAL_PERSISTENT = 2,
};

struct CudnnHandle {
  static constexpr const char *kind = "cudnnHandle";
  CUstream stream = nullptr;
};

struct TensorDescriptor {
  static constexpr const char *kind = "cudnnTensorDescriptor";
  int type = -1;  // -1 until set
  int dim[4] = {};  // n, c, h, w
  int stride[4] = {};
};

struct FilterDescriptor {
  static constexpr const char *kind = "cudnnFilterDescriptor";
  int type = -1;
  int format = 0;
  int dim[4] = {};  // k, c, h, w
};

struct ConvolutionDescriptor {
  static constexpr const char *kind = "cudnnConvolutionDescriptor";
  int computeType = -1;
  int mode = 0;
  int padH = 0, padW = 0, strideH = 1, strideW = 1, dilationH = 1, dilationW = 1;
  int groups = 1;
  int mathType = CUDNN_DEFAULT_MATH;
};

struct PoolingDescriptor {
  static constexpr const char *kind = "cudnnPoolingDescriptor";
  int mode = -1;  // -1 until set
  int nan = CUDNN_NOT_PROPAGATE_NAN;
  int windowH = 1, windowW = 1, padH = 0, padW = 0, strideH = 1, strideW = 1;
};

/** Why a call is refused; entry() turns it into the call's status. */
struct Refusal {
  int status;
  std::string reason;
};

inline void require(bool holds, int status, const std::string &reason) {
  if (!holds) {
    throw Refusal{status, reason};
  }
}

/** Says on stderr why a call was refused, where the environment asks for it. */
void explainRefusal(const char *call, const Refusal &refusal);

/** Runs an entry point's body: injected faults first, refusals turned into statuses. */
template <class Body>
int entry(const char *call, Body body) {
  int injected = 0;
  if (shouldFail("cudnn", call, &injected)) {
    return injected;
  }
  try {
    body();
    return CUDNN_STATUS_SUCCESS;
  } catch (const Refusal &refusal) {
    explainRefusal(call, refusal);
    return refusal.status;
  } catch (const BadOperand &bad) {
    explainRefusal(call, {CUDNN_STATUS_BAD_PARAM, bad.reason});
    return CUDNN_STATUS_BAD_PARAM;
  }
}

/** A live handle or descriptor; anything else, null included, is refused. */
template <class T>
T &live(T *object, const char *call) {
  require(object != nullptr, CUDNN_STATUS_BAD_PARAM, std::string("null ") + T::kind);
  require(checkLive(T::kind, object, call), CUDNN_STATUS_BAD_PARAM, std::string("dead ") + T::kind);
  return *object;
}

/** A live handle whose context can take work. */
CudnnHandle &liveHandle(CudnnHandle *handle, const char *call);

/** What a descriptor was set to. */
View4 view(const TensorDescriptor *descriptor, const char *what, const char *call);
View4 view(const FilterDescriptor &descriptor);

/** The same of a tensor that is computed with: fp32, fp16 or bf16, else NOT_SUPPORTED. */
View4 operandView(const TensorDescriptor *descriptor, const char *what, const char *call);

/** A cuDNN data type as the device's; the others are refused. */
Element elementOf(int type);

/** Refuses operands of one call that differ in data type. */
void requireSameType(const View4 &a, const View4 &b, const char *what);

/** The scaling factors, read from host memory now. */
Blend blendOf(const void *alpha, const void *beta);

/** Refuses, and reports, an output that shares memory with another operand. */
void requireApart(const Operand &output, const std::vector<Operand> &others);

/** The same for routines that may work in place: equal addresses pass if the two views are equal. */
void requireApartOrInPlace(const Operand &output, const View4 &outputView, const Operand &input,
                           const View4 &inputView);

/** Puts work on the handle's stream. */
void submit(const CudnnHandle &handle, const char *call, std::function<void()> work);

}  // namespace softcuda
