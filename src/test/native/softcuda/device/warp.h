// Warp shuffles, votes and reductions over real rendezvous of lanes. A value read from a lane that took no part is
// undefined in CUDA; here it is all ones (NaN).
#pragma once

namespace softcuda_kernels {

template <class T>
unsigned long long bits(T value) {
  static_assert(sizeof(T) <= 8, "warp functions take at most 8 bytes");
  unsigned long long result = 0;
  __builtin_memcpy(&result, &value, sizeof(T));
  return result;
}

template <class T>
T value(unsigned long long bits) {
  T result;
  __builtin_memcpy(&result, &bits, sizeof(T));
  return result;
}

template <class T>
T from(const SoftcudaLanes *lanes, int lane) {
  return value<T>((lanes->arrived >> lane & 1) != 0 ? lanes->values[lane] : ~0ull);
}

inline void checkWidth(int width, int line) {
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    softcuda_host->fail("the width of a shuffle is a power of two up to 32", line);
  }
}

/** The lane that a shuffle reads: `wanted` where that is inside the lane's segment of `width`, else the lane itself. */
template <class T>
T shuffle(const char *what, int line, unsigned mask, T given, int wanted, bool inside) {
  const SoftcudaLanes *lanes = softcuda_host->exchange(what, line, mask, bits(given));
  return from<T>(lanes, inside ? wanted : softcuda_host->lane());
}

template <class T>
T shuffleFrom(int line, unsigned mask, T given, int source, int width = 32) {
  checkWidth(width, line);
  int segment = softcuda_host->lane() & ~(width - 1);
  return shuffle("__shfl_sync", line, mask, given, segment + (source & (width - 1)), true);
}

template <class T>
T shuffleUp(int line, unsigned mask, T given, unsigned delta, int width = 32) {
  checkWidth(width, line);
  int lane = softcuda_host->lane();
  int wanted = lane - static_cast<int>(delta);
  return shuffle("__shfl_up_sync", line, mask, given, wanted, wanted >= (lane & ~(width - 1)));
}

template <class T>
T shuffleDown(int line, unsigned mask, T given, unsigned delta, int width = 32) {
  checkWidth(width, line);
  int lane = softcuda_host->lane();
  int wanted = lane + static_cast<int>(delta);
  return shuffle("__shfl_down_sync", line, mask, given, wanted, wanted <= (lane | (width - 1)));
}

/** Lanes of a lower segment may be read, those of a higher one may not. */
template <class T>
T shuffleXor(int line, unsigned mask, T given, int lanes, int width = 32) {
  checkWidth(width, line);
  int lane = softcuda_host->lane();
  int wanted = lane ^ lanes;
  return shuffle("__shfl_xor_sync", line, mask, given, wanted, wanted <= (lane | (width - 1)));
}

inline unsigned ballot(const char *what, int line, unsigned mask, bool predicate) {
  const SoftcudaLanes *lanes = softcuda_host->exchange(what, line, mask, predicate ? 1 : 0);
  unsigned result = 0;
  for (int lane = 0; lane < 32; lane++) {
    if ((lanes->arrived >> lane & 1) != 0 && lanes->values[lane] != 0) result |= 1u << lane;
  }
  return result;
}

inline bool all(int line, unsigned mask, bool predicate) {
  const SoftcudaLanes *lanes = softcuda_host->exchange("__all_sync", line, mask, predicate ? 1 : 0);
  for (int lane = 0; lane < 32; lane++) {
    if ((lanes->arrived >> lane & 1) != 0 && lanes->values[lane] == 0) return false;
  }
  return true;
}

template <class T, class Combine>
T reduce(const char *what, int line, unsigned mask, T given, Combine combine) {
  const SoftcudaLanes *lanes = softcuda_host->exchange(what, line, mask, bits(given));
  bool first = true;
  T result = given;
  for (int lane = 0; lane < 32; lane++) {
    if ((lanes->arrived >> lane & 1) == 0) continue;
    T other = value<T>(lanes->values[lane]);
    result = first ? other : combine(result, other);
    first = false;
  }
  return result;
}

}  // namespace softcuda_kernels

#define __shfl_sync(mask, ...) (softcuda_kernels::shuffleFrom(__LINE__, (mask), __VA_ARGS__))
#define __shfl_up_sync(mask, ...) (softcuda_kernels::shuffleUp(__LINE__, (mask), __VA_ARGS__))
#define __shfl_down_sync(mask, ...) (softcuda_kernels::shuffleDown(__LINE__, (mask), __VA_ARGS__))
#define __shfl_xor_sync(mask, ...) (softcuda_kernels::shuffleXor(__LINE__, (mask), __VA_ARGS__))
#define __ballot_sync(mask, p) (softcuda_kernels::ballot("__ballot_sync", __LINE__, (mask), (p)))
#define __any_sync(mask, p) (softcuda_kernels::ballot("__any_sync", __LINE__, (mask), (p)) != 0)
#define __all_sync(mask, p) (softcuda_kernels::all(__LINE__, (mask), (p)))
#define __activemask() (softcuda_host->liveLanes())

#define SOFTCUDA_FIRST(a, ...) a
#define __syncwarp(...) \
  ((void)softcuda_host->exchange("__syncwarp", __LINE__, SOFTCUDA_FIRST(__VA_ARGS__ __VA_OPT__(, ) 0xFFFFFFFFu, 0), 0))

#define SOFTCUDA_REDUCE(name, mask, v, expression)                         \
  (softcuda_kernels::reduce(name, __LINE__, (mask), (v), [](auto a, auto b) { return expression; }))
#define __reduce_add_sync(mask, v) SOFTCUDA_REDUCE("__reduce_add_sync", mask, v, a + b)
#define __reduce_min_sync(mask, v) SOFTCUDA_REDUCE("__reduce_min_sync", mask, v, (a < b ? a : b))
#define __reduce_max_sync(mask, v) SOFTCUDA_REDUCE("__reduce_max_sync", mask, v, (a > b ? a : b))
#define __reduce_and_sync(mask, v) SOFTCUDA_REDUCE("__reduce_and_sync", mask, v, a & b)
#define __reduce_or_sync(mask, v) SOFTCUDA_REDUCE("__reduce_or_sync", mask, v, a | b)
#define __reduce_xor_sync(mask, v) SOFTCUDA_REDUCE("__reduce_xor_sync", mask, v, a ^ b)
