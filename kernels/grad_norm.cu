// What gradients are multiplied by so that their norm stays within a bound: PyTorch's
// clip_grad_norm_, over all trained parameters together.
//
//   |g| = sqrt(sum of g^2) u,  u = 1 / (loss scale x batches in the sum)
//   factor = min(1, max_norm / (|g| + 1e-6))
//
// g fp32 [packs * WIDTH]. A NaN among them makes the factor NaN, as in PyTorch.
// Geometry: one thread per pack; squares are added up in double in a fixed order, first within each
// block, then over the blocks by the last one. Bytes: reads g.
// Reference: sums in double, and PyTorch's golden values.
#include "gradients.cuh"

/** Adds up the threads' values in a fixed order; thread 0 receives the sum. */
__device__ __forceinline__ double sum_of_block(double value) {
  __shared__ double values[THREADS];
  int t = static_cast<int>(threadIdx.x);
  __syncthreads();
  values[t] = value;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      values[t] += values[t + half];
    }
  }
  return t == 0 ? values[0] : 0;
}

/** partials [gridDim.x] is scratch. */
extern "C" __global__ void __launch_bounds__(THREADS) grad_norm(
    const float* g,
    long long packs,
    const Clock* clock,
    const LossScale* loss_scale,
    double max_norm,
    double* partials,
    float* factor,
    unsigned int* ticket) {
  long long at = global_thread() * WIDTH;
  double squares = 0;
  if (at < packs * WIDTH) {
    Pack<float> values = load_pack(g + at);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      squares += static_cast<double>(values.at[i]) * values.at[i];
    }
  }
  squares = sum_of_block(squares);
  if (threadIdx.x == 0) {
    partials[blockIdx.x] = squares;
  }
  if (!last_block(ticket, gridDim.x)) {
    return;
  }
  double total = 0;
  for (unsigned int block = threadIdx.x; block < gridDim.x; block += THREADS) {
    total += partials[block];
  }
  total = sum_of_block(total);
  if (threadIdx.x == 0) {
    double coefficient = max_norm / (sqrt(total) * unscale_of(clock, loss_scale) + 1e-6);
    *factor = coefficient > 1 ? 1.0f : static_cast<float>(coefficient);
  }
}
