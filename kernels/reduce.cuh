// Sums in a fixed order, so that reruns are bit-identical: no floating-point atomics. What blocks
// contribute goes through memory; the block that finishes last, told by an integer ticket, adds it
// up in the order of block numbers.
#pragma once

#include "rows.cuh"

/**
 * Whether this is the last block to come here; it then sees what all the others wrote before.
 *
 * @param ticket 0 at launch, and 0 again afterwards
 * @param blocks how many come here
 */
__device__ __forceinline__ bool last_block(unsigned int* ticket, unsigned int blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) {
      *ticket = 0;
    }
  }
  __syncthreads();
  if (last) {
    __threadfence();
  }
  return last;
}

/** Adds up what the ranks of a block hold for the same channels; rank 0 receives the sums. */
template <int SUMS>
__device__ __forceinline__ void add_ranks(const Walk& walk, double (&values)[SUMS][WIDTH]) {
  __shared__ double others[SUMS * WIDTH][THREADS];
  int t = static_cast<int>(threadIdx.x);
  __syncthreads();
  for (int left = walk.ranks; left > 1;) {
    int half = (left + 1) / 2;
    bool gives = walk.rank >= half && walk.rank < left;
    bool takes = walk.rank + half < left;
    for (int i = 0; i < SUMS * WIDTH; i++) {
      if (gives) {
        others[i][t] = values[i / WIDTH][i % WIDTH];
      }
    }
    __syncthreads();
    for (int i = 0; i < SUMS * WIDTH; i++) {
      if (takes) {
        values[i / WIDTH][i % WIDTH] += others[i][t + half * walk.tile];
      }
    }
    left = half;
  }
}

/**
 * Adds up each thread's values over all rows, channel by channel.
 *
 * @param values in: of this thread's rows; out: the totals, where it returns true
 * @param partials [gridDim.x, SUMS, channels]
 * @param tickets one per block column, see {@link last_block}
 * @return whether this thread holds the totals of its channels: one thread per channel pack does
 */
template <int SUMS>
__device__ __forceinline__ bool sum_columns(
    const Walk& walk,
    int channels,
    double (&values)[SUMS][WIDTH],
    double* partials,
    unsigned int* tickets) {
  add_ranks(walk, values);
  long long stride = static_cast<long long>(SUMS) * channels;
  if (walk.active && walk.rank == 0) {
    for (int i = 0; i < SUMS * WIDTH; i++) {
      partials[blockIdx.x * stride + i / WIDTH * channels + walk.channel + i % WIDTH] =
          values[i / WIDTH][i % WIDTH];
    }
  }
  if (!last_block(tickets + blockIdx.y, gridDim.x)) {
    return false;
  }
#pragma unroll
  for (int i = 0; i < SUMS * WIDTH; i++) {
    values[i / WIDTH][i % WIDTH] = 0;
  }
  // Two blocks' partials at a time, all on their way before the first is added: each comes from far.
  long long next = walk.ranks * stride;
  for (int block = walk.rank; walk.active && block < gridDim.x; block += 2 * walk.ranks) {
    const double* from = partials + block * stride + walk.channel;
    bool two = block + walk.ranks < gridDim.x;
    double first[SUMS * WIDTH];
    double second[SUMS * WIDTH];
#pragma unroll
    for (int i = 0; i < SUMS * WIDTH; i++) {
      first[i] = from[i / WIDTH * channels + i % WIDTH];
      second[i] = from[(two ? next : 0) + i / WIDTH * channels + i % WIDTH];
    }
#pragma unroll
    for (int i = 0; i < SUMS * WIDTH; i++) {
      double& sum = values[i / WIDTH][i % WIDTH];
      sum += first[i];
      sum = two ? sum + second[i] : sum;
    }
  }
  add_ranks(walk, values);
  return walk.active && walk.rank == 0;
}
