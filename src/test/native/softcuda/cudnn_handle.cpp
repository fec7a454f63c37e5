// cuDNN's versions, error strings and handles, and the frame of its entry points.
#include "cudnn_api.h"

#include <cstdio>
#include <cstdlib>

namespace softcuda {

void explainRefusal(const char *call, const Refusal &refusal) {
  const char *destination = std::getenv("CUDNN_LOGDEST_DBG");
  if (destination != nullptr && std::string(destination) == "stderr") {
    std::fprintf(stderr, "%s: %d: %s\n", call, refusal.status, refusal.reason.c_str());
  }
}

CudnnHandle &liveHandle(CudnnHandle *handle, const char *call) {
  CudnnHandle &checked = live(handle, call);
  int error = contextError(call);
  require(error == 0, CUDNN_STATUS_EXECUTION_FAILED, "the context is in error " + std::to_string(error));
  require(isStream(checked.stream), CUDNN_STATUS_EXECUTION_FAILED, "the handle's stream is destroyed");
  return checked;
}

Element elementOf(int type) {
  switch (type) {
    case CUDNN_DATA_FLOAT:
      return Element::F32;
    case CUDNN_DATA_DOUBLE:
      return Element::F64;
    case CUDNN_DATA_HALF:
      return Element::F16;
    case CUDNN_DATA_BFLOAT16:
      return Element::BF16;
    default:
      throw Refusal{CUDNN_STATUS_NOT_SUPPORTED, "data type " + std::to_string(type)};
  }
}

void requireSameType(const View4 &a, const View4 &b, const char *what) {
  require(a.type == b.type, CUDNN_STATUS_BAD_PARAM, std::string(what) + " differ in data type");
}

Blend blendOf(const void *alpha, const void *beta) {
  const float *scaleNew = hostScalar("cuDNN", alpha), *scaleOld = hostScalar("cuDNN", beta);
  require(scaleNew != nullptr && scaleOld != nullptr, CUDNN_STATUS_BAD_PARAM, "no alpha or beta on the host");
  return {*scaleNew, *scaleOld};
}

void requireApart(const Operand &output, const std::vector<Operand> &others) {
  const Operand *shared = overlapping(output, others);
  if (shared != nullptr) {
    std::string message = output.what + " shares memory with " + shared->what;
    violation(message);
    throw Refusal{CUDNN_STATUS_BAD_PARAM, message};
  }
}

void requireApartOrInPlace(const Operand &output, const View4 &outputView, const Operand &input,
                           const View4 &inputView) {
  if (output.address == input.address) {
    require(outputView.sameDims(inputView) && outputView.sameStrides(inputView), CUDNN_STATUS_BAD_PARAM,
            "in place, but the descriptors differ");
  } else {
    requireApart(output, {input});
  }
}

void submit(const CudnnHandle &handle, const char *call, std::function<void()> work) {
  int error = enqueue(handle.stream, call, std::move(work));
  require(error == 0, CUDNN_STATUS_EXECUTION_FAILED, "driver error " + std::to_string(error));
}

}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY size_t cudnnGetVersion() { return 90501; }

CUDNN_ENTRY size_t cudnnGetCudartVersion() { return 12060; }

CUDNN_ENTRY const char *cudnnGetErrorString(int status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR:
      return "CUDNN_STATUS_INTERNAL_ERROR";
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
      return "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED_CUDART:
      return "CUDNN_STATUS_EXECUTION_FAILED_CUDART";
    default:
      return "CUDNN_UNKNOWN_STATUS";
  }
}

CUDNN_ENTRY int cudnnCreate(CudnnHandle **handle) {
  return entry("cudnnCreate", [&] {
    require(handle != nullptr, CUDNN_STATUS_BAD_PARAM, "null handle");
    int error = contextError("cudnnCreate");
    require(error == 0, CUDNN_STATUS_NOT_INITIALIZED, "driver error " + std::to_string(error));
    require(!illegalInCapture("cudnnCreate"), CUDNN_STATUS_INTERNAL_ERROR, "it allocates device memory");
    *handle = new CudnnHandle();
    track(CudnnHandle::kind, *handle, "cudnnCreate");
  });
}

CUDNN_ENTRY int cudnnDestroy(CudnnHandle *handle) {
  return entry("cudnnDestroy", [&] {
    CudnnHandle &checked = live(handle, "cudnnDestroy");
    require(!illegalInCapture("cudnnDestroy"), CUDNN_STATUS_EXECUTION_FAILED_CUDART, "it waits for the device");
    if (isStream(checked.stream)) {
      synchronize(checked.stream);
    }
    untrack(CudnnHandle::kind, handle, "cudnnDestroy");
  });
}

CUDNN_ENTRY int cudnnSetStream(CudnnHandle *handle, CUstream stream) {
  return entry("cudnnSetStream", [&] {
    CudnnHandle &checked = live(handle, "cudnnSetStream");
    require(isStream(stream), CUDNN_STATUS_BAD_PARAM, "no such stream");
    checked.stream = stream;
  });
}
