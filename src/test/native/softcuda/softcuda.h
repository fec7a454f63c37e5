// The software CUDA device: what its libraries share.
//
// Four libraries with the names of NVIDIA's stand in for a GPU, in tests only: libcuda.so.1 (memory, streams, graphs,
// launches), libnvrtc.so.12 (compiles kernels for the host), libcudnn.so.9 and libcublas.so.12 (plain loops). They obey
// CUDA's rules and use every freedom that the rules leave, so that a program which relies on more goes wrong here.
//
// Design:
//  - Device memory is one reserved address range without access rights. What enqueued work touches of live
//    allocations becomes accessible while the executor thread runs; guard pages and freed ranges never do. A device
//    address is therefore valid as a host pointer inside enqueued work and faults everywhere else. New memory holds 0xFF bytes: NaN as floats.
//  - Enqueued work waits until somebody synchronises. Then the executor runs what is needed, and sometimes more, in an
//    order drawn from a seed among those that streams and events allow.
//  - A broken rule is a violation: one line on stderr and in the log. In enqueued work it also leaves the context with
//    a sticky error, as a real driver does. What a real driver would answer with a status is answered so.
//
// Environment: SOFTCUDA_CONTROL, a file of `key=value` lines read when the primary context is made (see control.h);
// SOFTCUDA_LOG, a file that gets one line per violation, leak and statistic.
//
// A library call that uses this header looks like this:
//
//   extern "C" cudnnStatus_t cudnnFoo(cudnnHandle_t handle, const void *alpha, const void *x, void *y) {
//     int status;
//     if (softcuda::shouldFail("cudnn", "cudnnFoo", &status)) return status;   // first in every entry point
//     ... check arguments, return CUDNN_STATUS_BAD_PARAM ...
//     float a = *static_cast<const float *>(alpha);                            // host scalars: read now
//     int error = softcuda::enqueue(handle->stream, "cudnnFoo", [=] {          // copies all it needs; runs late
//       const float *in = softcuda::device<const float>(x, bytes, softcuda::Access::Read, "cudnnFoo x");
//       ...
//     });
//     return error == 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#define SOFTCUDA_API __attribute__((visibility("default")))

typedef struct CUstream_st *CUstream;

namespace softcuda {

enum class Access { Read, Write, ReadWrite };

/** Thrown inside enqueued work that breaks a rule; the executor reports it and makes the context's error sticky. */
class SOFTCUDA_API Fault : public std::runtime_error {
 public:
  explicit Fault(const std::string &message);
  ~Fault() override;
};

/**
 * Puts work at the end of a stream, or into the graph if the stream is being captured; null is the legacy stream.
 *
 * The work runs later, on the executor thread, in stream order; captured work runs once per replay, so it must not
 * change what it holds. It reads and writes device memory through device() alone, and calls nothing else from here but
 * Fault's constructor, violation() and die().
 *
 * @param call the API call's name, a string literal; named in messages about this work
 * @return 0, or the CUresult to report (no context, sticky error, unknown stream, capture invalidated)
 */
SOFTCUDA_API int enqueue(CUstream stream, const char *call, std::function<void()> work);

/**
 * The host-usable pointer of a device range, for enqueued work only. Throws Fault if the range is not wholly inside one
 * live allocation (freed, never allocated, past its end); `what` names it in the message ("cudnnAddTensor y").
 * Zero bytes are valid at any address.
 */
SOFTCUDA_API void *device(const void *address, size_t bytes, Access access, const std::string &what);

template <class T>
T *device(const void *address, size_t bytes, Access access, const std::string &what) {
  return static_cast<T *>(device(address, bytes, access, what));
}

/** Whether a range lies inside one live allocation now; for argument checks at the call. */
SOFTCUDA_API bool onDevice(const void *address, size_t bytes);

/** Waits for all work of a stream: runs it. Returns 0 or the CUresult (illegal while capturing, sticky error). */
SOFTCUDA_API int synchronize(CUstream stream);

/** 0 if the calling thread has a live current context without a sticky error, else the CUresult to report. */
SOFTCUDA_API int contextError(const char *call);

/** Whether a stream exists (null does) and whether it is being captured. */
SOFTCUDA_API bool isStream(CUstream stream);
SOFTCUDA_API bool isCapturing(CUstream stream);

/** Whether a stream is being captured in a mode that forbids a call which allocates or waits: breaks the capture then. */
SOFTCUDA_API bool illegalInCapture(const char *call);

/**
 * Counts a call, and says whether it is to fail by injection: `fail=KIND:N:STATUS` or `fail=NAME:N:STATUS` in the
 * control file makes the Nth call of that kind ("alloc", "launch", "cudnn", "cublas", "nvrtc") or name fail.
 * First thing in every entry point.
 */
SOFTCUDA_API bool shouldFail(const char *kind, const char *name, int *status);

/**
 * A resource that must be destroyed before the context is: what is left is listed as a leak.
 *
 * @param kind "cudnnHandle", "tensor descriptor", ...
 * @param call the call that made it
 */
SOFTCUDA_API void track(const char *kind, const void *resource, const char *call);

/** Whether the resource is live and of that kind: reports use after destroy (false, and a violation) for `call`. */
SOFTCUDA_API bool checkLive(const char *kind, const void *resource, const char *call);

/** Ends a resource's life. False, and a violation, when it is not live: double destroy, never made. */
SOFTCUDA_API bool untrack(const char *kind, const void *resource, const char *call);

/** Reports a broken rule: one line on stderr and in the log. The call then returns its error status. */
SOFTCUDA_API void violation(const std::string &message);

/** Ends the process with a message: for what no status can express. */
[[noreturn]] SOFTCUDA_API void die(const std::string &message);

/** A number in [0, bound) from the seed, for freedoms of the library's own (an algorithm order, an undefined value). */
SOFTCUDA_API uint64_t draw(uint64_t bound);

/** Adds to the fake clock that events read: `work` in nanoseconds. Only inside enqueued work. */
SOFTCUDA_API void spend(uint64_t work);

/** A number formatted as an address, for messages: 0x7f0012345600. */
SOFTCUDA_API std::string hex(const void *address);

}  // namespace softcuda
