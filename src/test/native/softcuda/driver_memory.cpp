// Allocation, copies and fills.
//
// The synchronous copy goes through the legacy stream, which non-blocking streams do not wait for. Asynchronous copies
// read and write pinned memory when they run.
#include <cstring>

#include "call.h"
#include "control.h"
#include "memory.h"
#include "stream.h"

namespace softcuda {
namespace {

constexpr double nanosPerByte = 0.01;

void *at(Address address) { return reinterpret_cast<void *>(address); }

Work work(std::function<void()> body) { return std::make_shared<const std::function<void()>>(std::move(body)); }

void requirePinned(const void *host, size_t bytes, const char *call) {
  if (pinnedMemory().holds(host, bytes)) return;
  throw Fault(std::string(call) + ": host memory " + hex(host) + " is " + pinnedMemory().describe(host) + " by now");
}

void move(void *to, const void *from, size_t bytes) {
  std::memmove(to, from, bytes);
  spend(static_cast<uint64_t>(static_cast<double>(bytes) * nanosPerByte));
}

/** Device ranges are checked at the call, where the caller can be named, and again when the work runs. */
int checkDevice(const Call &call, Address address, size_t bytes) {
  if (deviceMemory().find(address, bytes) != nullptr) return Success;
  return call.refuse(InvalidValue, std::to_string(bytes) + " bytes at device address " + hex(at(address)) +
                                       ": begins at " + deviceMemory().describe(address));
}

int checkStream(const Call &call, CUstream handle, Stream **stream) {
  *stream = streamOf(handle);
  return *stream != nullptr ? Success : call.refuse(InvalidHandle, "stream " + hex(handle) + " is not live");
}

int checkPinned(const Call &call, const void *host, size_t bytes) {
  if (pinnedMemory().holds(host, bytes)) return Success;
  return call.refuse(InvalidValue, "an asynchronous copy of " + std::to_string(bytes) + " bytes needs pinned memory; " +
                                       hex(host) + " is " + pinnedMemory().describe(host));
}

/** Host memory of a synchronous copy: anything but device memory. */
int checkHost(const Call &call, const void *host) {
  if (host != nullptr && deviceMemory().find(reinterpret_cast<Address>(host), 0) == nullptr) return Success;
  return call.refuse(InvalidValue, "host address " + hex(host) + " is no host memory");
}

Work upload(Address to, const void *from, size_t bytes, const char *name) {
  return work([=] {
    requirePinned(from, bytes, name);
    move(device(at(to), bytes, Access::Write, std::string(name) + " destination"), from, bytes);
  });
}

Work download(void *to, Address from, size_t bytes, const char *name, bool pinned) {
  return work([=] {
    if (pinned) requirePinned(to, bytes, name);
    move(to, device(at(from), bytes, Access::Read, std::string(name) + " source"), bytes);
  });
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

extern "C" {

SOFTCUDA_API int cuMemAlloc_v2(Address *address, size_t bytes) {
  Call call("cuMemAlloc_v2", Needs::Context, "alloc", true);
  if (call.error() != 0) return call.error();
  if (bytes == 0) return call.refuse(InvalidValue, "zero bytes");
  *address = deviceMemory().allocate(bytes, settings().memoryBytes, call.name());
  return *address == 0 ? OutOfMemory : Success;
}

SOFTCUDA_API int cuMemFree_v2(Address address) {
  Call call("cuMemFree_v2", Needs::Destruction, "", true);
  if (call.error() != 0) return call.error();
  if (address == 0 || deviceMemory().release(address, call.name())) return call.result(Success);
  return call.refuse(InvalidValue, hex(at(address)) + " is no allocation: " + deviceMemory().describe(address));
}

SOFTCUDA_API int cuMemGetInfo_v2(size_t *freeBytes, size_t *totalBytes) {
  Call call("cuMemGetInfo_v2", Needs::Context);
  if (call.error() != 0) return call.error();
  *totalBytes = settings().memoryBytes;
  *freeBytes = settings().memoryBytes - deviceMemory().usedBytes();
  return Success;
}

SOFTCUDA_API int cuMemHostAlloc(void **host, size_t bytes, unsigned flags) {
  Call call("cuMemHostAlloc", Needs::Context, "hostalloc", true);
  if (call.error() != 0) return call.error();
  if (bytes == 0 || flags > 7) return call.refuse(InvalidValue, "zero bytes, or unknown flags");
  *host = pinnedMemory().allocate(bytes, call.name());
  return *host == nullptr ? OutOfMemory : Success;
}

SOFTCUDA_API int cuMemFreeHost(void *host) {
  Call call("cuMemFreeHost", Needs::Destruction, "", true);
  if (call.error() != 0) return call.error();
  if (pinnedMemory().release(host, call.name())) return call.result(Success);
  return call.refuse(InvalidValue, hex(host) + " is no pinned allocation: " + pinnedMemory().describe(host));
}

SOFTCUDA_API int cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
  Call call("cuMemcpyDtoH_v2", Needs::Context, "copy", true);
  if (call.error() != 0) return call.error();
  int problem = checkDevice(call, from, bytes);
  if (problem == 0) problem = checkHost(call, to);
  if (problem == 0) {
    problem = enqueueOn(legacyStream(), call.name(), download(to, from, bytes, call.name(), false));
  }
  return problem != 0 ? problem : synchronize(nullptr);
}

SOFTCUDA_API int cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, CUstream handle) {
  Call call("cuMemcpyHtoDAsync_v2", Needs::Context, "copy");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkDevice(call, to, bytes);
  if (problem == 0) problem = checkPinned(call, from, bytes);
  return problem != 0 ? problem : enqueueOn(*stream, call.name(), upload(to, from, bytes, call.name()));
}

SOFTCUDA_API int cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, CUstream handle) {
  Call call("cuMemcpyDtoHAsync_v2", Needs::Context, "copy");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkDevice(call, from, bytes);
  if (problem == 0) problem = checkPinned(call, to, bytes);
  return problem != 0 ? problem : enqueueOn(*stream, call.name(), download(to, from, bytes, call.name(), true));
}

SOFTCUDA_API int cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, CUstream handle) {
  Call call("cuMemcpyDtoDAsync_v2", Needs::Context, "copy");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkDevice(call, from, bytes);
  if (problem == 0) problem = checkDevice(call, to, bytes);
  if (problem == 0 && from < to + bytes && to < from + bytes) {
    problem = call.refuse(InvalidValue, "source and destination overlap");
  }
  if (problem != 0) return problem;
  const char *name = call.name();
  return enqueueOn(*stream, name, work([=] {
    const void *source = device(at(from), bytes, Access::Read, std::string(name) + " source");
    move(device(at(to), bytes, Access::Write, std::string(name) + " destination"), source, bytes);
  }));
}

SOFTCUDA_API int cuMemsetD8Async(Address to, unsigned char value, size_t bytes, CUstream handle) {
  Call call("cuMemsetD8Async", Needs::Context, "copy");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkDevice(call, to, bytes);
  if (problem != 0) return problem;
  const char *name = call.name();
  return enqueueOn(*stream, name, work([=] {
    std::memset(device(at(to), bytes, Access::Write, name), value, bytes);
    spend(static_cast<uint64_t>(static_cast<double>(bytes) * nanosPerByte));
  }));
}
}
