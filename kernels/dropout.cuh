// Which elements dropout keeps: the contract of convtrain.backend.cpu.op.DropoutMasks.
//
// With elements counted in [N, H, W, C] order, element e is decided by byte e % 16 of the Philox
// block (e / 16, step, layer, DROPOUT): dropped if the byte is below T = floor(256 p), kept if
// above. A byte equal to T is decided by 53 bits of the block (e, step, layer, DROPOUT_TIE):
// dropped if their value in [0, 1) is below 256 p - T.
#pragma once

#include "element.cuh"
#include "philox.cuh"

/** One layer's dropout at one step. */
struct Dropout {
  unsigned long long seed;
  unsigned int step;
  unsigned int layer;
  unsigned int threshold;
  double tie;
  /** 1 / (1 - p), what a kept element is multiplied by. */
  float scale;
};

/** @param clock the run's step counter; null: nothing is dropped or scaled */
__device__ __forceinline__ Dropout dropout_at(
    const long long* clock, long long seed, int layer, int threshold, double tie, float scale) {
  return Dropout{static_cast<unsigned long long>(seed),
                 clock == nullptr ? 0u : static_cast<unsigned int>(*clock),
                 static_cast<unsigned int>(layer),
                 static_cast<unsigned int>(threshold),
                 tie,
                 scale};
}

__device__ __forceinline__ bool tie_falls(const Dropout& dropout, unsigned int e) {
  Words words = philox(dropout.seed, e, dropout.step, dropout.layer, PURPOSE_DROPOUT_TIE);
  return unit(words.a, words.b) < dropout.tie;
}

/**
 * For the WIDTH elements from e on (a multiple of WIDTH), one bit each, set if the element is kept.
 */
__device__ __forceinline__ unsigned int kept(const Dropout& dropout, unsigned int e) {
  Words words = philox(dropout.seed, e / 16, dropout.step, dropout.layer, PURPOSE_DROPOUT);
  unsigned int kept = 0;
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    unsigned int byte = (e + i) % 16;
    unsigned int low = byte < 4 ? words.a : words.b;
    unsigned int high = byte < 12 ? words.c : words.d;
    unsigned int value = (byte < 8 ? low : high) >> 8 * (byte % 4) & 0xFFu;
    bool falls =
        value < dropout.threshold
        || (value == dropout.threshold && dropout.tie > 0 && tie_falls(dropout, e + i));
    kept |= falls ? 0u : 1u << i;
  }
  return kept;
}
