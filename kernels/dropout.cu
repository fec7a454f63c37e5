// Dropout: drawing the masks of a step, and dropout that stands alone, y = keep x / (1 - p), whose
// gradient goes the same way.
//
// x, y any shape of packs * WIDTH elements in [N, H, W, C] order; y may be x.
// Geometry: draw_masks: one thread per group of 32 elements, each layer's from a new block on;
// dropout: one thread per pack. Bytes: draw_masks writes a bit per element; dropout reads x and the
// bits, writes y.
// Reference: convtrain.testing.ReferenceDropout.
#include "dropout.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) draw_masks(
    const MaskedLayer* layers, int count, const long long* clock, long long seed) {
  int l = count - 1;
  while (layers[l].first_block > blockIdx.x) {
    l--;
  }
  const MaskedLayer& masked = layers[l];
  unsigned int group = (blockIdx.x - masked.first_block) * THREADS + threadIdx.x;
  if (group < masked.groups) {
    unsigned int step = static_cast<unsigned int>(*clock);
    unsigned int set = chosen(masked, static_cast<unsigned long long>(seed), step, group);
    masked.kept[group] = masked.keeps_chosen != 0 ? set : ~set;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) dropout(
    const element* x, element* y, long long packs, const unsigned int* masks, float scale) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  unsigned int keep = kept(masks, at);
  float values[WIDTH];
  load(x + at, values);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    values[i] = (keep >> i & 1u) != 0 ? values[i] * scale : 0;
  }
  store(y + at, values);
}
