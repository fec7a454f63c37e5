// CUDA's language for host g++: included before every kernel source. Qualifiers, built-in variables, barriers, and the
// table that tells the driver of each kernel. Warp functions, atomics, vectors and arithmetic are in the files beside it.
//
// Shared variables are the module's only uninitialised statics: one block runs at a time, and the driver fills them with
// 0xFF bytes before each. Words that the source scanner needs are spelled softcuda_..._ here and resolved by it.
// __CUDA_ARCH__ stays undefined: behind it kernels keep what only PTX can say.
#pragma once

#include "abi.h"

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef long clock_t;

#define __global__ softcuda_global_
#define __shared__ softcuda_shared_
#define __launch_bounds__(...) softcuda_bounds_(__VA_ARGS__)
#define __device__
#define __host__
#define __constant__ __attribute__((section(".data.softcuda_constant")))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __CUDACC__ 1
#define __CUDACC_RTC__ 1
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 6

#define SOFTCUDA_STATE static __attribute__((section(".data.softcuda_state"), used))

SOFTCUDA_STATE const SoftcudaHost *softcuda_host = nullptr;
SOFTCUDA_STATE unsigned char *softcuda_dynamic = nullptr;

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

SOFTCUDA_STATE SoftcudaIndex threadIdx = {0, 0, 0};
SOFTCUDA_STATE SoftcudaIndex blockIdx = {0, 0, 0};
SOFTCUDA_STATE SoftcudaIndex blockDim = {0, 0, 0};
SOFTCUDA_STATE SoftcudaIndex gridDim = {0, 0, 0};
static const int warpSize = 32;

// Macros, so that the line is that of the caller.
#define __syncthreads() ((void)softcuda_host->barrier("__syncthreads", __LINE__, 0))
#define __syncthreads_count(p) (softcuda_host->barrier("__syncthreads_count", __LINE__, !!(p)))
#define __syncthreads_or(p) (softcuda_host->barrier("__syncthreads_or", __LINE__, !!(p)) != 0)
#define __syncthreads_and(p) (softcuda_host->barrier("__syncthreads_and", __LINE__, !(p)) == 0)
#define __trap() (softcuda_host->fail("__trap()", __LINE__))

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline long long clock64() { return static_cast<long long>(softcuda_host->clock()); }
inline clock_t clock() { return static_cast<clock_t>(softcuda_host->clock()); }

namespace softcuda_kernels {

template <int... I>
struct Indices {};

template <class T>
struct IsPointer {
  static constexpr unsigned char value = 0;
};

template <class T>
struct IsPointer<T *> {
  static constexpr unsigned char value = 1;
};

/** Calls a kernel with parameters that lie behind pointers, as cuLaunchKernel gets them. */
template <auto function>
struct Thunk;

template <class... A, void (*function)(A...)>
struct Thunk<function> {
  static constexpr int count = sizeof...(A);
  static constexpr unsigned bytes[sizeof...(A) + 1] = {static_cast<unsigned>(sizeof(A))..., 0};
  static constexpr unsigned alignments[sizeof...(A) + 1] = {static_cast<unsigned>(alignof(A))..., 0};
  static constexpr unsigned char pointers[sizeof...(A) + 1] = {IsPointer<A>::value..., 0};

  template <int... I>
  static void call(void **parameters, Indices<I...>) {
    function(*static_cast<A *>(parameters[I])...);
  }

  static void run(void **parameters) {
    (void)parameters;
    call(parameters, Indices<__integer_pack(sizeof...(A))...>());
  }
};

}  // namespace softcuda_kernels

extern "C" unsigned char __bss_start[] __attribute__((visibility("hidden")));
extern "C" unsigned char _end[] __attribute__((visibility("hidden")));

#include "atomic.h"
#include "math.h"
#include "vector.h"
#include "warp.h"
