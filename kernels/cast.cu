// fp32 to what activations are held in, rounded to nearest even, and back.
//
// Both packs * WIDTH elements. Geometry: one thread per pack. Bytes: reads the one, writes the
// other.
// Reference: convtrain.backend.cuda.HalfRoundingTest.
#include "element.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) cast_from_float(
    const float* from, element* to, long long packs) {
  long long at = global_thread() * WIDTH;
  if (at < packs * WIDTH) {
    float values[WIDTH];
    load(from + at, values);
    store(to + at, values);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) cast_to_float(
    const element* from, float* to, long long packs) {
  long long at = global_thread() * WIDTH;
  if (at < packs * WIDTH) {
    float values[WIDTH];
    load(from + at, values);
    Pack<float> pack;
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      pack.at[i] = values[i];
    }
    store_pack(to + at, pack);
  }
}
