// An activation [N, H, W, C] seen as a matrix [rows, C], dealt out so that a thread keeps its WIDTH
// channels and walks down the rows: neighbouring threads read neighbouring addresses, and what
// belongs to a channel is read once per thread.
//
// Launch geometry: blocks of THREADS; x: any number, they take turns at the rows; y: one for every
// THREADS columns of WIDTH channels.
#pragma once

#include "element.cuh"

/** One thread's part of the matrix. */
struct Walk {
  /** The first of its channels. */
  int channel;
  /** Threads from one row to the next within the block. */
  int tile;
  /** Which of the rows that the block reads at once is this thread's. */
  int rank;
  /** Rows that the block reads at once. */
  int ranks;
  /** Whether this thread has a part at all. */
  bool active;

  __device__ __forceinline__ explicit Walk(int channels) {
    int columns = channels / WIDTH;
    tile = columns < THREADS ? columns : THREADS;
    ranks = THREADS / tile;
    rank = static_cast<int>(threadIdx.x) / tile;
    int column = static_cast<int>(blockIdx.y) * tile + static_cast<int>(threadIdx.x) % tile;
    channel = column * WIDTH;
    active = rank < ranks && column < columns;
  }

  /** The thread's first row. */
  __device__ __forceinline__ long long first() const {
    return static_cast<long long>(blockIdx.x) * ranks + rank;
  }

  /** From one of its rows to the next. */
  __device__ __forceinline__ long long step() const {
    return static_cast<long long>(gridDim.x) * ranks;
  }

  /** Rows from its first on, 0 for a thread without a part. */
  __device__ __forceinline__ long long end(long long rows) const { return active ? rows : 0; }
};
