// Dropout that stands alone: y = keep x / (1 - p); the gradient goes the same way, through a mask
// recomputed from the run's seed, step and layer (dropout.cuh), so one kernel serves both passes.
//
// x, y any shape of packs * WIDTH elements in [N, H, W, C] order; y may be x.
// Geometry: one thread per pack. Bytes: reads x, writes y.
// Reference: convtrain.testing.ReferenceDropout.
#include "dropout.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) dropout(
    const element* x,
    element* y,
    long long packs,
    const long long* clock,
    long long seed,
    int layer,
    int threshold,
    double tie,
    float scale) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  Dropout dropout = dropout_at(clock, seed, layer, threshold, tie, scale);
  unsigned int keep = kept(dropout, static_cast<unsigned int>(at));
  float values[WIDTH];
  load(x + at, values);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    values[i] = (keep >> i & 1u) != 0 ? values[i] * scale : 0;
  }
  store(y + at, values);
}
