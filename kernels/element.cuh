// What activations are held in, and 16-byte accesses to them.
//
// PRECISION  0 fp32, 1 tf32 (held as fp32), 2 fp16, 3 bf16
// WIDTH      elements that one access moves: 16 bytes' worth where the layout allows it, else 1
//
// Arithmetic is in fp32 throughout; a value is rounded once, to nearest even, when it is stored.
// The conversions are written out because NVRTC comes without cuda_fp16.h and cuda_bf16.h.
#pragma once

#ifndef PRECISION
#define PRECISION 0
#endif
#ifndef WIDTH
#define WIDTH 1
#endif

/** Threads of a block, for every kernel that does not say otherwise. */
constexpr int THREADS = 256;

__device__ __forceinline__ float to_float(float value) { return value; }

#if PRECISION < 2

typedef float element;

__device__ __forceinline__ float from_float(float value) { return value; }

#elif PRECISION == 2

struct element {
  unsigned short bits;
};

#ifdef __CUDACC_VER_BUILD__  // NVIDIA's compilers, which know the chip's own instructions

__device__ __forceinline__ float to_float(element value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}

__device__ __forceinline__ element from_float(float value) {
  element result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}

#else

__device__ __forceinline__ float to_float(element value) {
  unsigned int sign = (value.bits & 0x8000u) << 16;
  unsigned int magnitude = (value.bits & 0x7FFFu) << 13;
  if (magnitude >= 0x0F800000u) {  // infinite or NaN
    return __uint_as_float(sign | 0x70000000u | magnitude);
  }
  // 2^112 moves the exponent's bias from 15 to 127, for subnormals too.
  float scaled = __uint_as_float(magnitude) * __uint_as_float(0x77800000u);
  return __uint_as_float(sign | __float_as_uint(scaled));
}

__device__ __forceinline__ element from_float(float value) {
  unsigned int bits = __float_as_uint(value);
  unsigned int sign = bits >> 16 & 0x8000u;
  bits &= 0x7FFFFFFFu;
  unsigned int half;
  if (bits > 0x7F800000u) {
    half = 0x7FFFu;
  } else if (bits < 0x38800000u) {  // subnormal: 0.5 has the spacing 2^-24 of a subnormal half
    half = __float_as_uint(__uint_as_float(bits) + 0.5f) - 0x3F000000u;
  } else {
    unsigned int rounded = bits + 0xFFFu + (bits >> 13 & 1u);
    half = rounded >= 0x47800000u ? 0x7C00u : (rounded - 0x38000000u) >> 13;
  }
  return element{static_cast<unsigned short>(sign | half)};
}

#endif

#else

struct element {
  unsigned short bits;
};

__device__ __forceinline__ float to_float(element value) {
  return __uint_as_float(static_cast<unsigned int>(value.bits) << 16);
}

__device__ __forceinline__ element from_float(float value) {
  unsigned int bits = __float_as_uint(value);
  bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  unsigned int rounded = nan ? bits | 0x00400000u : bits + 0x7FFFu + (bits >> 16 & 1u);
  return element{static_cast<unsigned short>(rounded >> 16)};
}

#endif

/** WIDTH neighbours, read and written by one access. */
template <typename T>
struct alignas(WIDTH * sizeof(T)) Pack {
  T at[WIDTH];
};

template <typename T>
__device__ __forceinline__ Pack<T> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T>*>(from);
}

template <typename T>
__device__ __forceinline__ void store_pack(T* to, const Pack<T>& pack) {
  *reinterpret_cast<Pack<T>*>(to) = pack;
}

template <typename T>
__device__ __forceinline__ void load(const T* from, float (&to)[WIDTH]) {
  Pack<T> pack = load_pack(from);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    to[i] = to_float(pack.at[i]);
  }
}

__device__ __forceinline__ void store(element* to, const float (&from)[WIDTH]) {
  Pack<element> pack;
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    pack.at[i] = from_float(from[i]);
  }
  store_pack(to, pack);
}

/** This thread's number in a one-dimensional grid. */
__device__ __forceinline__ long long global_thread() {
  return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}
