// The parts' channels one after the other, y [rows, C] from x_i [rows, C_i] (rows = N H W); and its
// reverse, each part taking its channels of dy.
//
// parts: addresses in device memory, null for a part that is not wanted. starts [count + 1]: each
// part's first channel in y, then C. All channel numbers are multiples of WIDTH.
// Geometry: see rows.cuh; one launch for all parts. Bytes: reads and writes every element once.
// Reference: convtrain.testing.ReferenceConcat, and PyTorch's golden values.
#include "rows.cuh"

/** Which part a channel of y comes from. */
__device__ __forceinline__ int part_of(const Walk& walk, const int* starts) {
  int part = 0;
  while (walk.active && walk.channel >= starts[part + 1]) {
    part++;
  }
  return part;
}

extern "C" __global__ void __launch_bounds__(THREADS) concat(
    const element* const* parts, const int* starts, element* y, long long rows, int channels) {
  Walk walk(channels);
  int part = part_of(walk, starts);
  int width = starts[part + 1] - starts[part];
  const element* x = parts[part] + (walk.channel - starts[part]);
  for (long long row = walk.first(); row < walk.end(rows); row += walk.step()) {
    store_pack(y + row * channels + walk.channel, load_pack(x + row * width));
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) split(
    const element* dy, element* const* parts, const int* starts, long long rows, int channels) {
  Walk walk(channels);
  int part = part_of(walk, starts);
  if (parts[part] == nullptr) {
    return;
  }
  int width = starts[part + 1] - starts[part];
  element* dx = parts[part] + (walk.channel - starts[part]);
  for (long long row = walk.first(); row < walk.end(rows); row += walk.step()) {
    store_pack(dx + row * width, load_pack(dy + row * channels + walk.channel));
  }
}
