// Adds a batch's gradients to the sum that waits for an update; the first begins it anew. Then the
// clock counts the batch.
//
//   sum = pending == 0 ? g : sum + g
//
// g, sum fp32 [packs * WIDTH].
// Geometry: one thread per pack. Bytes: reads g and the sum, writes the sum.
// Reference: sums in double, and PyTorch's golden values.
#include "clock.cuh"
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) accumulate(
    const float* g, float* sum, long long packs, Clock* clock, unsigned int* ticket) {
  bool first = clock->pending == 0;
  long long at = global_thread() * WIDTH;
  if (at < packs * WIDTH) {
    Pack<float> gradients = load_pack(g + at);
    if (!first) {
      Pack<float> sums = load_pack(sum + at);
#pragma unroll
      for (int i = 0; i < WIDTH; i++) {
        gradients.at[i] = sums.at[i] + gradients.at[i];
      }
    }
    store_pack(sum + at, gradients);
  }
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) {
    clock->pending += 1;
    clock->batches += 1;
  }
}
