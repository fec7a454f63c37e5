// Kernels of the tests of the device layer.
#include "device_test.cuh"

#ifndef SCALE
#define SCALE 1
#endif

/** out[i] = value * SCALE + i */
extern "C" __global__ void fill(float* out, int n, float value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    out[i] = value * SCALE + static_cast<float>(i);
  }
}

/** x[i] = 2 x[i] + 1: its order among other work shows. */
extern "C" __global__ void twice_plus_one(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    x[i] = doubled(x[i]) + 1.0f;
  }
}

/** Each argument as a double; 1 for a null pointer. */
extern "C" __global__ void arguments(double* out, const float* nothing, long long a, int b, float c, double d) {
  out[0] = nothing == nullptr ? 1.0 : 0.0;
  out[1] = static_cast<double>(a);
  out[2] = static_cast<double>(b);
  out[3] = static_cast<double>(c);
  out[4] = d;
  out[5] = static_cast<double>(gridDim.x * 100 + gridDim.y * 10 + gridDim.z);
  out[6] = static_cast<double>(blockDim.x * 100 + blockDim.y * 10 + blockDim.z);
}

/** The words of a feed's state. */
struct Feed {
  const unsigned char* images;
  const unsigned char* labels;
  const int* order;
  long long stride_bytes;
  long long slots;
  long long sample;
  long long batch;
  long long capacity;
};

/** One thread copies a batch of n samples to images_out [n, image_bytes] and labels_out [n]. */
extern "C" __global__ void gather(
    Feed* feed, unsigned char* images_out, int* labels_out, int n, int image_bytes) {
  for (int i = 0; i < n; i++) {
    const unsigned char* image;
    if (feed->order != nullptr) {
      long long sample = feed->order[feed->sample + i];
      image = feed->images + sample * image_bytes;
      labels_out[i] = reinterpret_cast<const int*>(feed->labels)[sample];
    } else {
      long long slot_bytes = feed->batch % feed->slots * feed->stride_bytes;
      image = feed->images + slot_bytes + static_cast<long long>(i) * image_bytes;
      labels_out[i] = reinterpret_cast<const int*>(feed->labels + slot_bytes)[i];
    }
    for (int b = 0; b < image_bytes; b++) {
      images_out[static_cast<long long>(i) * image_bytes + b] = image[b];
    }
  }
  feed->sample += n;
  feed->batch += 1;
}
