// Vector types with CUDA's alignment, and make_*.
#pragma once

#define SOFTCUDA_VECTORS(T, name, align2, align4)                                          \
  struct name##1 {                                                                         \
    T x;                                                                                   \
  };                                                                                       \
  struct __attribute__((aligned(align2))) name##2 {                                        \
    T x, y;                                                                                \
  };                                                                                       \
  struct name##3 {                                                                         \
    T x, y, z;                                                                             \
  };                                                                                       \
  struct __attribute__((aligned(align4))) name##4 {                                        \
    T x, y, z, w;                                                                          \
  };                                                                                       \
  constexpr name##2 make_##name##2(T x, T y) { return {x, y}; }                            \
  constexpr name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                    \
  constexpr name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

SOFTCUDA_VECTORS(signed char, char, 2, 4)
SOFTCUDA_VECTORS(unsigned char, uchar, 2, 4)
SOFTCUDA_VECTORS(short, short, 4, 8)
SOFTCUDA_VECTORS(unsigned short, ushort, 4, 8)
SOFTCUDA_VECTORS(int, int, 8, 16)
SOFTCUDA_VECTORS(float, float, 8, 16)
SOFTCUDA_VECTORS(long long, longlong, 16, 16)
SOFTCUDA_VECTORS(unsigned long long, ulonglong, 16, 16)
SOFTCUDA_VECTORS(double, double, 16, 16)

// uint3 is declared before the built-in variables.
struct uint1 {
  unsigned x;
};
struct __attribute__((aligned(8))) uint2 {
  unsigned x, y;
};
struct __attribute__((aligned(16))) uint4 {
  unsigned x, y, z, w;
};
constexpr uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
