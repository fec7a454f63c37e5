// Which elements dropout keeps: convtrain.graph.DropoutDraw gives the contract, equal on every
// backend. How many of a group are chosen tell the thresholds T, which of them the positions below.
//
// Masks depend on no data, so one launch at the start of a step draws those of all layers, one bit
// per element; what multiplies by them reads a 32nd of what it reads of an fp32 tensor.
#pragma once

#include "element.cuh"
#include "philox.cuh"

/** Elements that are decided together. */
constexpr int GROUP = 32;

/** One layer's dropout; convtrain.backend.cuda.op.DropoutMasks writes these. */
struct MaskedLayer {
  /** T of the contract. */
  unsigned int thresholds[GROUP];
  /** One word per group, bit i set if its element i is kept. */
  unsigned int* kept;
  unsigned int groups;
  /** The layer's index in the graph. */
  unsigned int layer;
  /** Whether the chosen stay, rather than fall. */
  unsigned int keeps_chosen;
  /** The first of the blocks that draw for this layer. */
  unsigned int first_block;
};

/** The positions of one group, one after the other. */
struct Positions {
  unsigned long long seed;
  unsigned int group, step, layer;
  Words words;
  unsigned int word;
  int taken;

  __device__ __forceinline__ unsigned int next() {
    if (taken == 6) {
      word = words.c;
    } else if (taken >= 12 && taken % 6 == 0) {
      next_word((taken - 12) / 6);
    }
    taken++;
    unsigned int position = word & 31u;
    word >>= 5;
    return position;
  }

  /** The n-th word after those of the group's first block. */
  __device__ __forceinline__ void next_word(int n) {
    if (n % 4 == 0) {
      unsigned int block = PURPOSE_DROPOUT + 256u * (n / 4 + 1);
      words = philox(seed, group, step, layer, block);
    }
    word = n % 4 == 0 ? words.a : n % 4 == 1 ? words.b : n % 4 == 2 ? words.c : words.d;
  }
};

/** The set of the group's chosen elements, one bit each. */
__device__ __forceinline__ unsigned int chosen(
    const MaskedLayer& masked, unsigned long long seed, unsigned int step, unsigned int group) {
  Words r = philox(seed, group, step, masked.layer, PURPOSE_DROPOUT);
  int k = 0;
  while (k < GROUP && r.a < masked.thresholds[k]) {
    k++;
  }
  Positions positions{seed, group, step, masked.layer, r, r.b, 0};
  unsigned int set = k > 10 ? r.d : 0;
  for (int size = __popc(set); size != k; size = __popc(set)) {
    unsigned int member = 1u << positions.next();
    set = size < k ? set | member : set & ~member;
  }
  return set;
}

/**
 * For the WIDTH elements from e on (a multiple of WIDTH), one bit each, set if the element is kept.
 *
 * @param masks of the layer; null: all are kept
 */
__device__ __forceinline__ unsigned int kept(const unsigned int* masks, long long e) {
  return masks == nullptr ? ~0u : masks[e / GROUP] >> (e % GROUP);
}
