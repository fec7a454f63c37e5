// Where the batch's bytes and labels are, read from the feed's state in device memory, so that a
// captured step finds the next batch by itself:
//   resident    sample n is number order[sample + n] of the data set
//   streaming   sample n is the n-th of slot batch % slots
#pragma once

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
  /** The pass's number. */
  long long epoch;
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

/** The sample's index in the data set; while streaming, these stand behind the labels of a batch. */
__device__ __forceinline__ int number_of(const Feed& feed, int n) {
  if (feed.order != nullptr) {
    return feed.order[feed.sample + n];
  }
  long long slot = feed.batch % feed.slots;
  return reinterpret_cast<const int*>(feed.labels + slot * feed.stride_bytes)[feed.capacity + n];
}
