// The start of a step: the batch's bytes [N, C, H, W] become normalised x [N, H, W, C] through a
// table of 256 fp32 values per channel, ((byte / 255 - mean) / std); labels are copied; the feed's
// cursor moves on by one batch.
//
// Where the bytes are is read from the feed's state in device memory, so a captured step finds the
// next batch by itself:
//   resident    sample n is number order[sample + n] of the data set
//   streaming   sample n is the n-th of slot batch % slots
//
// table [C, 256], labels [N]; geometry: one thread per pack of x, at least one per sample.
// Bytes: reads N C H W bytes, writes x.
// Reference: the formula, in convtrain.backend.StepOpContractTest.
#include "reduce.cuh"

/** The feed's state. */
struct Feed {
  const unsigned char* images;
  const unsigned char* labels;
  /** Sample numbers of a pass; null: streaming. */
  const int* order;
  /** From one slot to the next. */
  long long stride_bytes;
  long long slots;
  /** Samples of this pass that are staged. */
  long long sample;
  /** Batches that are staged, of all passes. */
  long long batch;
  /** Samples of a full batch. */
  long long capacity;
};

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

__device__ __forceinline__ const unsigned char* image_of(const Feed& feed, int n, int image_bytes) {
  if (feed.order != nullptr) {
    return feed.images + static_cast<long long>(feed.order[feed.sample + n]) * image_bytes;
  }
  long long slot = feed.batch % feed.slots;
  return feed.images + slot * feed.stride_bytes + static_cast<long long>(n) * image_bytes;
}

__device__ __forceinline__ int label_of(const Feed& feed, int n) {
  if (feed.order != nullptr) {
    return reinterpret_cast<const int*>(feed.labels)[feed.order[feed.sample + n]];
  }
  long long slot = feed.batch % feed.slots;
  return reinterpret_cast<const int*>(feed.labels + slot * feed.stride_bytes)[n];
}

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
