// The loss with its gradient, and the step's metrics; convtrain.graph.LossSpec gives the formulas:
//
//   cross_entropy  t' = (1 - smoothing) t + smoothing / K
//                  loss_n = sum over k of t'_k (log(sum over c of exp(z_c - max)) - (z_k - max))
//                  dz_k = (exp(z_k - max) / sum - t'_k) / N
//   mse            loss_n = sum over k of (z_k - t_k)^2 / K
//                  dz_k = 2 (z_k - t_k) / (N K)
//   metrics += {sum of loss_n, samples whose first largest z is their label, N}
//
// z, dz [N, K], dz times the loss scale in fp16; t [N, K] fp32, or null: one-hot of labels [N].
// Inner sums in double, all in a fixed order. dz may be null (evaluation).
// Geometry: one warp per sample. Bytes: reads z four times (three times from cache), writes dz.
// Reference: convtrain.testing.ReferenceLoss, and PyTorch's golden values.
#include "clock.cuh"
#include "loss_scale.cuh"
#include "reduce.cuh"

constexpr int WARP = 32;
constexpr unsigned int ALL_LANES = 0xFFFFFFFFu;

/** The layout of convtrain.backend.StepMetrics. */
struct Metrics {
  double loss_sum;
  long long correct;
  long long samples;
  long long first_bad_step;
};

/** Whether a value is neither infinite nor NaN; both differ from themselves by NaN. */
__device__ __forceinline__ bool is_number(double value) { return value - value == 0; }

/** The first of the row's largest logits. */
__device__ __forceinline__ int first_largest(const element* z, int classes, int lane, float* max) {
  int best = lane < classes ? lane : 0;
  float largest = to_float(z[best]);
  for (int c = lane + WARP; c < classes; c += WARP) {
    float value = to_float(z[c]);
    if (value > largest) {
      largest = value;
      best = c;
    }
  }
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    float other = __shfl_xor_sync(ALL_LANES, largest, offset);
    int where = __shfl_xor_sync(ALL_LANES, best, offset);
    if (other > largest || (other == largest && where < best)) {
      largest = other;
      best = where;
    }
  }
  *max = largest;
  return best;
}

/** The sum of the lanes' values, the same in every lane. */
__device__ __forceinline__ double sum_of_lanes(double sum) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  return sum;
}

/** sum of exp(z_c - max), the same in every lane. */
__device__ __forceinline__ double sum_of_exps(
    const element* z, int classes, int lane, double max) {
  double sum = 0;
  for (int c = lane; c < classes; c += WARP) {
    sum += exp(to_float(z[c]) - max);
  }
  return sum_of_lanes(sum);
}

/** What a sample should give: t', see above. */
struct Target {
  /** The sample's row; null: one-hot of the label. */
  const float* given;
  int label;
  double keep;
  double share;

  __device__ __forceinline__ Target(
      const float* targets, long long row, int label, int classes, double smoothing)
      : given(targets == nullptr ? nullptr : targets + row * classes),
        label(label),
        keep(1 - smoothing),
        share(smoothing / classes) {}

  __device__ __forceinline__ double at(int c) const {
    double t = given != nullptr ? given[c] : c == label ? 1 : 0;
    return keep * t + share;
  }
};

/** Adds the batch to the metrics; one block runs this. */
__device__ __forceinline__ void add_up(
    const double* losses, const int* hits, int n, Metrics* metrics, const Clock* clock) {
  __shared__ double loss_sums[THREADS];
  __shared__ int correct[THREADS];
  int t = static_cast<int>(threadIdx.x);
  loss_sums[t] = 0;
  correct[t] = 0;
  for (int i = t; i < n; i += THREADS) {
    loss_sums[t] += losses[i];
    correct[t] += hits[i];
  }
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) {
      loss_sums[t] += loss_sums[t + half];
      correct[t] += correct[t + half];
    }
  }
  if (t == 0) {
    metrics->loss_sum += loss_sums[0];
    metrics->correct += correct[0];
    metrics->samples += n;
    if (!is_number(loss_sums[0]) && metrics->first_bad_step < 0) {
      metrics->first_bad_step = clock->batches;
    }
  }
}

/** What gradients are multiplied by. */
__device__ __forceinline__ double scale_of(const LossScale* loss_scale, const Clock* clock) {
  return loss_scale == nullptr ? 1 : loss_scale_at(loss_scale, clock->updates).scale;
}

/**
 * losses, hits [N] are scratch; loss_scale is null where the loss is not scaled.
 */
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy(
    const element* logits,
    const int* labels,
    const float* targets,
    double smoothing,
    element* dlogits,
    const LossScale* loss_scale,
    int n,
    int classes,
    double* losses,
    int* hits,
    Metrics* metrics,
    const Clock* clock,
    unsigned int* ticket) {
  int lane = static_cast<int>(threadIdx.x) % WARP;
  long long row = global_thread() / WARP;
  if (row < n) {
    const element* z = logits + row * classes;
    Target target(targets, row, labels[row], classes, smoothing);
    float max;
    int best = first_largest(z, classes, lane, &max);
    double sum = sum_of_exps(z, classes, lane, max);
    double log_sum = log(sum);
    double loss = 0;
    for (int c = lane; c < classes; c += WARP) {
      double t = target.at(c);
      // A class that is no target may have a logit of minus infinity.
      loss += t == 0 ? 0 : t * (log_sum - (to_float(z[c]) - static_cast<double>(max)));
    }
    loss = sum_of_lanes(loss);
    if (lane == 0) {
      losses[row] = loss;
      hits[row] = best == target.label ? 1 : 0;
    }
    if (dlogits != nullptr) {
      double scale = scale_of(loss_scale, clock);
      for (int c = lane; c < classes; c += WARP) {
        double p = exp(to_float(z[c]) - static_cast<double>(max)) / sum;
        float gradient = static_cast<float>((p - target.at(c)) / n * scale);
        dlogits[row * classes + c] = from_float(gradient);
      }
    }
  }
  if (last_block(ticket, gridDim.x)) {
    add_up(losses, hits, n, metrics, clock);
  }
}

/** Arguments as of cross_entropy; smoothing is 0. */
extern "C" __global__ void __launch_bounds__(THREADS) mse(
    const element* outputs,
    const int* labels,
    const float* targets,
    double smoothing,
    element* doutputs,
    const LossScale* loss_scale,
    int n,
    int classes,
    double* losses,
    int* hits,
    Metrics* metrics,
    const Clock* clock,
    unsigned int* ticket) {
  int lane = static_cast<int>(threadIdx.x) % WARP;
  long long row = global_thread() / WARP;
  if (row < n) {
    const element* y = outputs + row * classes;
    Target target(targets, row, labels[row], classes, smoothing);
    float max;
    int best = first_largest(y, classes, lane, &max);
    double scale = scale_of(loss_scale, clock);
    double loss = 0;
    for (int c = lane; c < classes; c += WARP) {
      double error = to_float(y[c]) - target.at(c);
      loss += error * error;
      if (doutputs != nullptr) {
        float gradient = static_cast<float>(2 * error / classes / n * scale);
        doutputs[row * classes + c] = from_float(gradient);
      }
    }
    loss = sum_of_lanes(loss);
    if (lane == 0) {
      losses[row] = loss / classes;
      hits[row] = best == target.label ? 1 : 0;
    }
  }
  if (last_block(ticket, gridDim.x)) {
    add_up(losses, hits, n, metrics, clock);
  }
}
