// What changes when everything is built with AddressSanitizer: it knows the device's red zones and the fibers' stacks.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace softcuda {
constexpr bool sanitized = true;

inline void poisonShadow(uint64_t address, uint64_t bytes) {
  __asan_poison_memory_region(reinterpret_cast<void *>(address), bytes);
}

inline void cleanShadow(const void *memory, size_t bytes) { __asan_unpoison_memory_region(memory, bytes); }
}  // namespace softcuda
#else
namespace softcuda {
constexpr bool sanitized = false;

inline void poisonShadow(uint64_t, uint64_t) {}
inline void cleanShadow(const void *, size_t) {}
}  // namespace softcuda
#endif
