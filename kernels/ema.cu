// The moving average of a network's tensors after an update; convtrain.graph.EmaSpec gives the
// formula. Does nothing but after every so many updates.
//
//   average = average + (1 - d) (value - average),  d = min(decay, (1 + t) / (10 + t))
//
// values, averages fp32 [packs * WIDTH].
// Geometry: one thread per pack. Bytes: reads values and averages, writes averages.
// Reference: the formula in double, and PyTorch's golden values.
#include "clock.cuh"
#include "element.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) ema(
    const float* values,
    float* averages,
    long long packs,
    const Clock* clock,
    double decay,
    int every) {
  long long updates = clock->updates;
  long long at = global_thread() * WIDTH;
  if (updates % every != 0 || at >= packs * WIDTH) {
    return;
  }
  double t = static_cast<double>(updates / every);
  double rising = (1 + t) / (10 + t);
  float take = static_cast<float>(1 - (decay < rising ? decay : rising));
  Pack<float> value = load_pack(values + at);
  Pack<float> average = load_pack(averages + at);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    average.at[i] += take * (value.at[i] - average.at[i]);
  }
  store_pack(averages + at, average);
}
