// y = sum of the parts, in their order, rounded once; and its reverse, dy copied to each part.
//
// Each tensor packs * WIDTH elements. The parts' addresses stand in device memory, since there may
// be any number of them.
// Geometry: one thread per pack. Bytes: sum reads each part and writes y; spread reads dy and
// writes each part.
// Reference: the doubles of convtrain.backend.StepOpContractTest, and PyTorch's golden values.
#include "element.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) sum(
    const element* const* parts, int count, element* y, long long packs) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  float total[WIDTH];
  load(parts[0] + at, total);
  for (int p = 1; p < count; p++) {
    float part[WIDTH];
    load(parts[p] + at, part);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      total[i] += part[i];
    }
  }
  store(y + at, total);
}

extern "C" __global__ void __launch_bounds__(THREADS) spread(
    const element* dy, element* const* parts, int count, long long packs) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  Pack<element> pack = load_pack(dy + at);
  for (int p = 0; p < count; p++) {
    store_pack(parts[p] + at, pack);
  }
}
