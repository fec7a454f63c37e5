// Checks at the entry of each call, and the functions that the libraries share (softcuda.h) which need the lock.
#include "call.h"

#include <cstring>

#include "control.h"
#include "memory.h"
#include "report.h"
#include "stream.h"
#include "work.h"

namespace softcuda {

std::recursive_mutex &apiLock() {
  static auto *lock = new std::recursive_mutex();
  return *lock;
}

Call::Call(const char *name, Needs needs, const char *kind, bool unsafeInCapture) : lock_(apiLock()), name_(name) {
  if (shouldFail(kind, name, &error_)) return;
  if (needs == Needs::Nothing) return;
  if (!initialized()) {
    error_ = refuse(NotInitialized, "called before cuInit");
    return;
  }
  if (needs == Needs::Init) return;
  error_ = currentContextProblem(name);
  if (error_ == 0 && needs == Needs::Context) error_ = scheduler().sticky();
  if (error_ == 0 && unsafeInCapture && refuseUnsafeCall(name)) error_ = CaptureUnsupported;
}

int Call::result(int status) const { return status == 0 ? scheduler().sticky() : status; }

int Call::refuse(int status, const std::string &why) const {
  violation(std::string(name_) + ": " + why);
  return status;
}

bool shouldFail(const char *kind, const char *name, int *status) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  callCounts()[name]++;
  bool fails = injected(name, status);
  bool ends = std::strstr(name, "Destroy") != nullptr;  // its failure would be a leak that nobody can prevent
  if (!fails && *kind != 0 && !ends) fails = injected(kind, status);
  if (fails) log("injected status " + std::to_string(*status) + " in " + name);
  return fails;
}

int contextError(const char *call) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  int problem = currentContextProblem(call);
  return problem != 0 ? problem : scheduler().sticky();
}

int enqueue(CUstream stream, const char *call, std::function<void()> work) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  int problem = contextError(call);
  if (problem != 0) return problem;
  Stream *target = streamOf(stream);
  if (target == nullptr) {
    checkLive("stream", stream, call);
    return InvalidHandle;
  }
  return enqueueOn(*target, call, std::make_shared<const std::function<void()>>(std::move(work)));
}

int synchronize(CUstream stream) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  int problem = contextError("synchronize");
  if (problem != 0) return problem;
  Stream *target = streamOf(stream);
  if (target == nullptr) return InvalidHandle;
  if (target->capture != nullptr) {
    return breakCapture(*target->capture, CaptureUnsupported, "a captured stream cannot be waited for");
  }
  if (target == &legacyStream()) target->last = scheduler().submit("synchronize", nullptr, frontier(*target));
  return target->last == nullptr ? scheduler().sticky() : scheduler().finish(target->last);
}

bool isStream(CUstream stream) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  return streamOf(stream) != nullptr;
}

bool isCapturing(CUstream stream) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  Stream *target = streamOf(stream);
  return target != nullptr && target->capture != nullptr;
}

bool illegalInCapture(const char *call) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  return refuseUnsafeCall(call);
}

void *device(const void *address, size_t bytes, Access, const std::string &what) {
  if (!isExecutor()) die(what + ": device() outside enqueued work");
  auto begin = reinterpret_cast<Address>(address);
  if (bytes != 0 && deviceMemory().find(begin, bytes) == nullptr) {
    throw Fault(what + ": " + std::to_string(bytes) + " bytes at " + hex(address) + ": begins at " +
                deviceMemory().describe(begin));
  }
  deviceMemory().open(begin, bytes);
  return const_cast<void *>(address);
}

bool onDevice(const void *address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(apiLock());
  return deviceMemory().find(reinterpret_cast<Address>(address), bytes) != nullptr;
}

void spend(uint64_t nanos) { scheduler().spend(nanos); }

}  // namespace softcuda
