// The start of a step: the batch's bytes [N, C, H, W] become normalised x [N, H, W, C] through a
// table of 256 fp32 values per channel, ((byte / 255 - mean) / std); labels are copied; the feed's
// cursor moves on by one batch.
//
// table [C, 256], labels [N]; geometry: one thread per pack of x, at least one per sample.
// Bytes: reads N C H W bytes, writes x.
// Reference: the formula, in convtrain.backend.StepOpContractTest.
#include "feed.cuh"
#include "reduce.cuh"

/** One image's bytes [C, H, W]. */
struct Image {
  const unsigned char* bytes;
  int height;
  int width;

  /** The byte that the network sees at a place. */
  __device__ __forceinline__ unsigned char pixel(int c, int h, int w) const {
    return bytes[(c * height + h) * width + w];
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) stage(
    Feed* state,
    const float* table,
    element* x,
    int* labels,
    int n,
    int channels,
    int height,
    int width,
    unsigned int* ticket) {
  Feed feed = *state;
  int image_bytes = channels * height * width;
  int packs = image_bytes / WIDTH;
  long long thread = global_thread();
  if (thread < n) {
    labels[thread] = label_of(feed, static_cast<int>(thread));
  }
  int sample = static_cast<int>(thread / packs);
  if (sample < n) {
    Image image{image_of(feed, sample, image_bytes), height, width};
    int first = static_cast<int>(thread % packs) * WIDTH;
    float values[WIDTH];
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      int c = (first + i) % channels;
      int place = (first + i) / channels;
      values[i] = table[c * 256 + image.pixel(c, place / width, place % width)];
    }
    store(x + thread * WIDTH, values);
  }
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) {
    state->sample = feed.sample + n;
    state->batch = feed.batch + 1;
  }
}
