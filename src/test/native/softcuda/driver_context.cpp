// Initialisation, the one device and its primary context.
//
// The context's end lists as leaks what is still allocated or alive and work that nobody waited for, then frees all of it.
#include <cstring>

#include "call.h"
#include "control.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "stream.h"

namespace softcuda {
namespace {

bool initializedFlag = false;
Context *primary = nullptr;
int retained = 0;
thread_local Context *current = nullptr;

struct Attribute {
  int number;
  int value;
};

// CU_DEVICE_ATTRIBUTE_*: numbers of the driver API.
const Attribute attributes[] = {
    {1, 1024},        // MAX_THREADS_PER_BLOCK
    {2, 1024},        // MAX_BLOCK_DIM_X
    {3, 1024},        // MAX_BLOCK_DIM_Y
    {4, 64},          // MAX_BLOCK_DIM_Z
    {5, 2147483647},  // MAX_GRID_DIM_X
    {6, 65535},       // MAX_GRID_DIM_Y
    {7, 65535},       // MAX_GRID_DIM_Z
    {8, 49152},       // MAX_SHARED_MEMORY_PER_BLOCK
    {9, 65536},       // TOTAL_CONSTANT_MEMORY
    {10, 32},         // WARP_SIZE
    {12, 65536},      // MAX_REGISTERS_PER_BLOCK
    {13, 1000000},    // CLOCK_RATE, kHz
    {15, 1},          // GPU_OVERLAP
    {16, 4},          // MULTIPROCESSOR_COUNT
    {17, 0},          // KERNEL_EXEC_TIMEOUT
    {18, 0},          // INTEGRATED
    {19, 1},          // CAN_MAP_HOST_MEMORY
    {20, 0},          // COMPUTE_MODE
    {31, 1},          // CONCURRENT_KERNELS
    {32, 0},          // ECC_ENABLED
    {36, 1000000},    // MEMORY_CLOCK_RATE, kHz
    {37, 128},        // GLOBAL_MEMORY_BUS_WIDTH, bits
    {38, 4194304},    // L2_CACHE_SIZE
    {39, 2048},       // MAX_THREADS_PER_MULTIPROCESSOR
    {40, 2},          // ASYNC_ENGINE_COUNT
    {41, 1},          // UNIFIED_ADDRESSING
    {75, 9},          // COMPUTE_CAPABILITY_MAJOR
    {76, 0},          // COMPUTE_CAPABILITY_MINOR
    {81, 233472},     // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
    {82, 65536},      // MAX_REGISTERS_PER_MULTIPROCESSOR
    {97, 49152},      // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
};

void logEnd() {
  if (const char *call = scheduler().pendingCall()) log(std::string("leak pending work, first ") + call);
  logLeaks("the end of the context");
  deviceMemory().releaseAll("the end of the context");
  pinnedMemory().releaseAll("the end of the context");
  for (const auto &[name, count] : callCounts()) log("stat " + name + " " + std::to_string(count));
  log("stat executed " + std::to_string(scheduler().executed()));
}

void makeContext() {
  applySettings(readSettings());
  scheduler().reset();
  legacyStream() = Stream();
  streams().clear();
  primary = new Context();
  log("context made, seed " + std::to_string(settings().seed));
}

void destroyContext() {
  for (Capture *capture : captures()) capture->ended = true;
  captures().clear();
  logEnd();
  scheduler().reset();
  primary->alive = false;
  primary = nullptr;
  log("context destroyed");
}

/** The process ends with a context: its leaks are listed all the same. */
struct AtExit {
  ~AtExit() {
    if (primary != nullptr) {
      log("leak context made by cuDevicePrimaryCtxRetain");
      logEnd();
    }
  }
} atExit;

}  // namespace

bool initialized() { return initializedFlag; }

Context *primaryContext() { return primary; }

int currentContextProblem(const char *call) {
  if (!initializedFlag) {
    violation(std::string(call) + ": called before cuInit");
    return NotInitialized;
  }
  if (current == nullptr) {
    violation(std::string(call) + ": no context is current on this thread");
    return InvalidContext;
  }
  if (!current->alive) {
    violation(std::string(call) + ": the context that is current on this thread was destroyed");
    return ContextIsDestroyed;
  }
  return Success;
}

}  // namespace softcuda

using namespace softcuda;

extern "C" {

SOFTCUDA_API int cuInit(unsigned flags) {
  if (primary == nullptr) applySettings(readSettings());
  Call call("cuInit", Needs::Nothing);
  if (call.error() != 0) return call.error();
  if (flags != 0) return call.refuse(InvalidValue, "flags must be 0");
  initializedFlag = true;
  return Success;
}

SOFTCUDA_API int cuDriverGetVersion(int *version) {
  Call call("cuDriverGetVersion", Needs::Nothing);
  *version = 12060;
  return call.error();
}

SOFTCUDA_API int cuDeviceGetCount(int *count) {
  Call call("cuDeviceGetCount", Needs::Init);
  *count = 1;
  return call.error();
}

SOFTCUDA_API int cuDeviceGet(int *device, int ordinal) {
  Call call("cuDeviceGet", Needs::Init);
  if (call.error() != 0) return call.error();
  *device = 0;
  return ordinal == 0 ? Success : InvalidDevice;
}

SOFTCUDA_API int cuDeviceGetName(char *name, int bytes, int device) {
  Call call("cuDeviceGetName", Needs::Init);
  if (call.error() != 0) return call.error();
  if (device != 0) return InvalidDevice;
  std::strncpy(name, "Software CUDA device", static_cast<size_t>(bytes));
  return Success;
}

SOFTCUDA_API int cuDeviceGetAttribute(int *value, int number, int device) {
  Call call("cuDeviceGetAttribute", Needs::Init);
  if (call.error() != 0) return call.error();
  if (device != 0) return InvalidDevice;
  for (const Attribute &attribute : attributes) {
    if (attribute.number != number) continue;
    *value = attribute.value;
    return Success;
  }
  return call.refuse(InvalidValue, "attribute " + std::to_string(number) + " is not in driver_context.cpp");
}

SOFTCUDA_API int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  Call call("cuDeviceTotalMem_v2", Needs::Init);
  if (call.error() != 0) return call.error();
  *bytes = (primary == nullptr ? readSettings() : settings()).memoryBytes;
  return device == 0 ? Success : InvalidDevice;
}

SOFTCUDA_API int cuDevicePrimaryCtxRetain(Context **context, int device) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  if (initializedFlag && device == 0 && primary == nullptr) {
    makeContext();
    retained = 0;
  }
  Call call("cuDevicePrimaryCtxRetain", Needs::Init);
  if (call.error() == 0 && device != 0) return InvalidDevice;
  if (call.error() != 0) {
    if (retained == 0 && primary != nullptr) destroyContext();
    return call.error();
  }
  retained++;
  *context = primary;
  return Success;
}

SOFTCUDA_API int cuDevicePrimaryCtxRelease_v2(int device) {
  Call call("cuDevicePrimaryCtxRelease_v2", Needs::Init);
  if (call.error() != 0) return call.error();
  if (device != 0) return InvalidDevice;
  if (primary == nullptr) return call.refuse(InvalidContext, "the primary context is not retained");
  if (--retained == 0) destroyContext();
  return Success;
}

SOFTCUDA_API int cuCtxSetCurrent(Context *context) {
  Call call("cuCtxSetCurrent", Needs::Init);
  if (call.error() != 0) return call.error();
  if (context != nullptr && context != primary) return call.refuse(InvalidContext, "the context is not live");
  current = context;
  return Success;
}

SOFTCUDA_API int cuCtxSynchronize() {
  Call call("cuCtxSynchronize", Needs::Context);
  if (call.error() != 0) return call.error();
  if (!captures().empty()) {
    return breakCapture(*captures().front(), CaptureUnsupported, "cuCtxSynchronize while a stream is captured");
  }
  return scheduler().finish(nullptr);
}
}
