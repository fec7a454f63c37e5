// Atomic functions: all threads of the device run on one host thread, so plain reads and writes are atomic.
#pragma once

namespace softcuda_kernels {

template <class T>
T exchanged(T *address, T next) {
  T old = *address;
  *address = next;
  return old;
}

}  // namespace softcuda_kernels

#define SOFTCUDA_ATOMIC(name, T, expression)                     \
  inline T name(T *address, T v) {                               \
    T old = *address;                                            \
    return softcuda_kernels::exchanged<T>(address, expression);  \
  }

#define SOFTCUDA_ATOMIC_INTEGERS(name, expression) \
  SOFTCUDA_ATOMIC(name, int, expression)           \
  SOFTCUDA_ATOMIC(name, unsigned, expression)      \
  SOFTCUDA_ATOMIC(name, unsigned long long, expression)

SOFTCUDA_ATOMIC(atomicAdd, int, static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(v)))
SOFTCUDA_ATOMIC(atomicAdd, unsigned, old + v)
SOFTCUDA_ATOMIC(atomicAdd, unsigned long long, old + v)
SOFTCUDA_ATOMIC(atomicAdd, float, old + v)
SOFTCUDA_ATOMIC(atomicAdd, double, old + v)
SOFTCUDA_ATOMIC(atomicSub, int, static_cast<int>(static_cast<unsigned>(old) - static_cast<unsigned>(v)))
SOFTCUDA_ATOMIC(atomicSub, unsigned, old - v)
SOFTCUDA_ATOMIC_INTEGERS(atomicExch, (static_cast<void>(old), v))
SOFTCUDA_ATOMIC(atomicExch, float, (static_cast<void>(old), v))
SOFTCUDA_ATOMIC_INTEGERS(atomicMin, v < old ? v : old)
SOFTCUDA_ATOMIC_INTEGERS(atomicMax, v > old ? v : old)
SOFTCUDA_ATOMIC(atomicMin, long long, v < old ? v : old)
SOFTCUDA_ATOMIC(atomicMax, long long, v > old ? v : old)
SOFTCUDA_ATOMIC_INTEGERS(atomicAnd, old & v)
SOFTCUDA_ATOMIC_INTEGERS(atomicOr, old | v)
SOFTCUDA_ATOMIC_INTEGERS(atomicXor, old ^ v)
SOFTCUDA_ATOMIC(atomicInc, unsigned, old >= v ? 0 : old + 1)
SOFTCUDA_ATOMIC(atomicDec, unsigned, old == 0 || old > v ? v : old - 1)

#define SOFTCUDA_ATOMIC_CAS(T)                                                       \
  inline T atomicCAS(T *address, T compare, T v) {                                   \
    return softcuda_kernels::exchanged<T>(address, *address == compare ? v : *address); \
  }
SOFTCUDA_ATOMIC_CAS(int)
SOFTCUDA_ATOMIC_CAS(unsigned)
SOFTCUDA_ATOMIC_CAS(unsigned long long)
SOFTCUDA_ATOMIC_CAS(unsigned short)
