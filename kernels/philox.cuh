// Philox 4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011), word for word convtrain.graph.Philox: key = seed, counter = (block low,
// block high, stream, purpose).
#pragma once

/** The ordinal of convtrain.graph.Philox.Purpose.DROPOUT. */
constexpr unsigned int PURPOSE_DROPOUT = 3;

/** The 128 bits of one counter value. */
struct Words {
  unsigned int a, b, c, d;
};

__device__ __forceinline__ Words philox(
    unsigned long long key, unsigned int c0, unsigned int c1, unsigned int c2, unsigned int c3) {
  unsigned int k0 = static_cast<unsigned int>(key);
  unsigned int k1 = static_cast<unsigned int>(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    unsigned long long p0 = 0xD2511F53ull * c0;
    unsigned long long p1 = 0xCD9E8D57ull * c2;
    c0 = static_cast<unsigned int>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<unsigned int>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<unsigned int>(p1);
    c3 = static_cast<unsigned int>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return Words{c0, c1, c2, c3};
}
