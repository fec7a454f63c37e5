// The start of a training step on varied images: what kernels/stage.cu does, with each image
// mapped, displaced, interpolated and partly erased on its way from bytes to x. What is drawn is
// told in convtrain.graph.AugmentDraw and AugmentSpec, the interpolation in
// convtrain.backend.OpFactory.stage; every operation is rounded on its own, so x is that of the CPU
// to the bit.
//
// table [C, 256], labels [N], x [N, H, W, C]; weights [radius + 1] of the smoothing, null without a
// displacement; fields [N, 2, 2 H W] where displacements are made: noise [W, 2, H], smoothed along x
// and turned to [H, 2, W], smoothed along y over the noise.
// Geometry: one block per image. Bytes: reads N C H W bytes, writes x; with a displacement the
// fields, which stay in the cache, a few times.
// Reference: convtrain.testing.ReferenceAugment.
#include "augment.cuh"
#include "feed.cuh"
#include "reduce.cuh"

/** An image's bytes [C, H, W], surrounded by zero bytes, as the network sees them. */
struct Frame {
  const unsigned char* bytes;
  const float* table;
  int height;
  int width;

  /** Counted from one pixel before the first. */
  __device__ __forceinline__ float pixel(int c, int row, int column) const {
    int h = row - 1;
    int w = column - 1;
    bool inside = h >= 0 && h < height && w >= 0 && w < width;
    return table[c * 256 + (inside ? bytes[(c * height + h) * width + w] : 0)];
  }

  __device__ __forceinline__ static float clamped(float place, int last) {
    return place > 0 ? (place < last ? place : last) : 0;
  }

  /** Bilinear. */
  __device__ __forceinline__ float at(int c, float place_x, float place_y) const {
    float px = clamped(place_x, width + 1);
    float py = clamped(place_y, height + 1);
    int left = static_cast<int>(px);
    int top = static_cast<int>(py);
    float fx = px - left;
    float fy = py - top;
    float t = between(pixel(c, top, left), pixel(c, top, left + 1), fx);
    float b = between(pixel(c, top + 1, left), pixel(c, top + 1, left + 1), fx);
    return between(t, b, fy);
  }

  __device__ __forceinline__ static float between(float from, float to, float share) {
    return __fadd_rn(from, __fmul_rn(share, __fsub_rn(to, from)));
  }
};

/** Index i of a row of n, mirrored about the outermost. */
__device__ __forceinline__ int mirrored(int i, int n) {
  int after = i < 0 ? -i : i;
  return after < n ? after : 2 * (n - 1) - after;
}

/** w[0] n[i] + w[1] (n[i - 1] + n[i + 1]) + ..., in this order; elements lie {@code stride} apart. */
__device__ __forceinline__ float smoothed(
    const float* row, int i, int n, int stride, const float* weights, int radius) {
  float sum = __fmul_rn(weights[0], row[i * stride]);
  for (int t = 1; t <= radius; t++) {
    float both = __fadd_rn(row[mirrored(i - t, n) * stride], row[mirrored(i + t, n) * stride]);
    sum = __fadd_rn(sum, __fmul_rn(weights[t], both));
  }
  return sum;
}

/** The block's threads draw 8 values each time. */
__device__ __forceinline__ void draw_noise(const Source& source, int count, float step, float* noise) {
  for (int first = threadIdx.x * 8; first < count; first += THREADS * 8) {
    Words words = source.block(NOISE_BLOCK + first / 8);
    unsigned int four[] = {words.a, words.b, words.c, words.d};
#pragma unroll
    for (int i = 0; i < 8; i++) {
      int half = static_cast<int>(i % 2 == 0 ? four[i / 2] & 0xFFFFu : four[i / 2] >> 16);
      if (first + i < count) {
        noise[first + i] = __fmul_rn(step, static_cast<float>(2 * half - 0xFFFF));
      }
    }
  }
}

/** Makes the displacement [H, 2, W] of the block's image, in the first half of the field. */
__device__ __forceinline__ void displace(
    const Source& source, int height, int width, const float* weights, int radius, float step, float* field) {
  int count = 2 * height * width;
  float* turned = field + count;
  draw_noise(source, count, step, field);
  __syncthreads();
  for (int i = threadIdx.x; i < count; i += THREADS) {
    int line = i % (2 * height);
    int column = i / (2 * height);
    int axis = line / height;
    int row = line % height;
    turned[(2 * row + axis) * width + column] =
        smoothed(field + line, column, width, 2 * height, weights, radius);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < count; i += THREADS) {
    int line = i % (2 * width);
    field[i] = smoothed(turned + line, i / (2 * width), height, 2 * width, weights, radius);
  }
  __syncthreads();
}

extern "C" __global__ void __launch_bounds__(THREADS) augment(
    Feed* state,
    const float* table,
    const Augmentation* spec,
    long long seed,
    float erased,
    const float* weights,
    int radius,
    float step,
    float* fields,
    element* x,
    int* labels,
    int channels,
    int height,
    int width,
    unsigned int* ticket) {
  __shared__ Varied varied;
  Feed feed = *state;
  int n = static_cast<int>(blockIdx.x);
  Source source{
      static_cast<unsigned long long>(seed),
      static_cast<unsigned int>(number_of(feed, n)),
      static_cast<unsigned int>(feed.epoch)};
  if (threadIdx.x == 0) {
    labels[n] = label_of(feed, n);
    varied = draw(*spec, source, height, width);
  }
  int elements = channels * height * width;
  float* field = weights == nullptr ? nullptr : fields + 4ll * height * width * n;
  if (field != nullptr) {
    displace(source, height, width, weights, radius, step, field);
  }
  __syncthreads();
  Varied v = varied;
  Frame frame{image_of(feed, n, elements), table, height, width};
  for (int first = threadIdx.x * WIDTH; first < elements; first += THREADS * WIDTH) {
    float values[WIDTH];
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      int c = (first + i) % channels;
      int column = (first + i) / channels % width;
      int row = (first + i) / channels / width;
      float to_x = static_cast<float>(column);
      float to_y = static_cast<float>(row);
      if (field != nullptr) {
        to_x = __fadd_rn(to_x, field[2 * row * width + column]);
        to_y = __fadd_rn(to_y, field[(2 * row + 1) * width + column]);
      }
      float place_x = __fadd_rn(__fmul_rn(v.xx, to_x), __fadd_rn(__fmul_rn(v.xy, to_y), v.x0));
      float place_y = __fadd_rn(__fmul_rn(v.yx, to_x), __fadd_rn(__fmul_rn(v.yy, to_y), v.y0));
      bool gone = row >= v.top && row < v.top + v.rows && column >= v.left &&
                  column < v.left + v.columns;
      values[i] = gone ? erased : frame.at(c, place_x, place_y);
    }
    store(x + static_cast<long long>(n) * elements + first, values);
  }
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) {
    state->sample = feed.sample + gridDim.x;
    state->batch = feed.batch + 1;
  }
}
