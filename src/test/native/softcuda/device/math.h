// Arithmetic: the C functions, CUDA's overloads and its intrinsics. Approximate intrinsics are computed exactly rounded
// where C offers that: a kernel that needs their error would be wrong.
#pragma once

#define SOFTCUDA_MATH1(name)         \
  extern "C" double name(double);    \
  extern "C" float name##f(float);   \
  inline float name(float x) { return __builtin_##name##f(x); }

#define SOFTCUDA_MATH2(name)                 \
  extern "C" double name(double, double);    \
  extern "C" float name##f(float, float);    \
  inline float name(float x, float y) { return __builtin_##name##f(x, y); }

SOFTCUDA_MATH1(exp)
SOFTCUDA_MATH1(exp2)
SOFTCUDA_MATH1(expm1)
SOFTCUDA_MATH1(log)
SOFTCUDA_MATH1(log2)
SOFTCUDA_MATH1(log10)
SOFTCUDA_MATH1(log1p)
SOFTCUDA_MATH1(sqrt)
SOFTCUDA_MATH1(cbrt)
SOFTCUDA_MATH1(sin)
SOFTCUDA_MATH1(cos)
SOFTCUDA_MATH1(tan)
SOFTCUDA_MATH1(asin)
SOFTCUDA_MATH1(acos)
SOFTCUDA_MATH1(atan)
SOFTCUDA_MATH1(sinh)
SOFTCUDA_MATH1(cosh)
SOFTCUDA_MATH1(tanh)
SOFTCUDA_MATH1(erf)
SOFTCUDA_MATH1(erfc)
SOFTCUDA_MATH1(floor)
SOFTCUDA_MATH1(ceil)
SOFTCUDA_MATH1(trunc)
SOFTCUDA_MATH1(round)
SOFTCUDA_MATH1(rint)
SOFTCUDA_MATH1(fabs)
SOFTCUDA_MATH2(pow)
SOFTCUDA_MATH2(fmod)
SOFTCUDA_MATH2(atan2)
SOFTCUDA_MATH2(fmin)
SOFTCUDA_MATH2(fmax)
SOFTCUDA_MATH2(hypot)
SOFTCUDA_MATH2(copysign)
SOFTCUDA_MATH2(fdim)

extern "C" double fma(double, double, double);
extern "C" float fmaf(float, float, float);
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
extern "C" double ldexp(double, int);
extern "C" float ldexpf(float, int);
extern "C" long lrintf(float);
extern "C" long long llrintf(float);

inline float rsqrtf(float x) { return static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x) != 0; }
inline bool isinf(double x) { return __builtin_isinf(x) != 0; }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool signbit(float x) { return __builtin_signbit(x) != 0; }

#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))

#define SOFTCUDA_ORDER(T)                             \
  constexpr T min(T a, T b) { return b < a ? b : a; } \
  constexpr T max(T a, T b) { return a < b ? b : a; }
SOFTCUDA_ORDER(int)
SOFTCUDA_ORDER(unsigned)
SOFTCUDA_ORDER(long)
SOFTCUDA_ORDER(unsigned long)
SOFTCUDA_ORDER(long long)
SOFTCUDA_ORDER(unsigned long long)
constexpr unsigned min(int a, unsigned b) { return min(static_cast<unsigned>(a), b); }
constexpr unsigned min(unsigned a, int b) { return min(a, static_cast<unsigned>(b)); }
constexpr unsigned max(int a, unsigned b) { return max(static_cast<unsigned>(a), b); }
constexpr unsigned max(unsigned a, int b) { return max(a, static_cast<unsigned>(b)); }
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline double min(double a, double b) { return __builtin_fmin(a, b); }
inline double max(double a, double b) { return __builtin_fmax(a, b); }

extern "C" int abs(int);
extern "C" long labs(long);
extern "C" long long llabs(long long);
inline long abs(long x) { return __builtin_labs(x); }
inline long long abs(long long x) { return __builtin_llabs(x); }
inline float abs(float x) { return __builtin_fabsf(x); }
inline double abs(double x) { return __builtin_fabs(x); }

inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __frsqrt_rn(float x) { return rsqrtf(x); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __dsqrt_rn(double x) { return __builtin_sqrt(x); }
inline double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }
inline float __expf(float x) { return __builtin_expf(x); }
inline float __exp10f(float x) { return __builtin_powf(10.0f, x); }
inline float __logf(float x) { return __builtin_logf(x); }
inline float __log2f(float x) { return __builtin_log2f(x); }
inline float __powf(float x, float y) { return __builtin_powf(x, y); }
inline float __sinf(float x) { return __builtin_sinf(x); }
inline float __cosf(float x) { return __builtin_cosf(x); }
inline float __tanf(float x) { return __builtin_tanf(x); }

/** Conversions clamp and turn NaN to 0, as the device's do; a C cast out of range is undefined. */
inline int __float2int_rz(float x) {
  return x != x ? 0 : x >= 2147483648.0f ? 2147483647 : x <= -2147483648.0f ? -2147483647 - 1 : static_cast<int>(x);
}
inline int __float2int_rn(float x) { return __float2int_rz(__builtin_rintf(x)); }
inline int __float2int_rd(float x) { return __float2int_rz(__builtin_floorf(x)); }
inline int __float2int_ru(float x) { return __float2int_rz(__builtin_ceilf(x)); }
inline unsigned __float2uint_rz(float x) {
  return !(x > 0) ? 0u : x >= 4294967296.0f ? 4294967295u : static_cast<unsigned>(x);
}
inline unsigned __float2uint_rn(float x) { return __float2uint_rz(__builtin_rintf(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }

inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }

inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift) {
  unsigned long long both = static_cast<unsigned long long>(hi) << 32 | lo;
  return static_cast<unsigned>(both << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
  return static_cast<unsigned>((static_cast<unsigned long long>(hi) << 32 | lo) >> (shift & 31));
}
inline unsigned __brev(unsigned x) {
  unsigned result = 0;
  for (int bit = 0; bit < 32; bit++) result |= (x >> bit & 1) << (31 - bit);
  return result;
}

template <class T>
T __ldg(const T *address) {
  return *address;
}
template <class T>
T __ldcg(const T *address) {
  return *address;
}
template <class T>
T __ldcs(const T *address) {
  return *address;
}
template <class T>
void __stcs(T *address, T value) {
  *address = value;
}
template <class T>
void __stcg(T *address, T value) {
  *address = value;
}
