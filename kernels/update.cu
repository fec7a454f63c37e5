// One optimizer step over the flat parameter buffer, then the clock advances. The formulas are
// those of convtrain.graph.OptimizerSpec; the learning rate and momentum (or beta1) come from the
// schedule's table at the clock's updates.
//
// w, g, v (Adam: m, v) fp32 [packs * WIDTH]; schedule [updates, 2]. g may be a sum over batches (see
// gradients.cuh); clip is what grad_norm.cu found, or null. Weight decay applies to the first
// `decayed` elements.
//
// In fp16 the gradients carry the loss scale (loss_scale.cuh). find_overflow looks for infinities
// and NaN first; if there is one, the update is skipped. The clock advances then too: schedule,
// masks and metrics go by batches seen, as in a PyTorch loop that steps its scheduler every batch.
// Adam's t and SGD's first step count performed updates only, as PyTorch's optimizers do.
//
// Geometry: one thread per pack; 1 launch, 2 in fp16. Bytes: reads w, g and the state, writes w and
// the state.
// Reference: convtrain.testing.ReferenceOptimizer, and PyTorch's golden values.
#include "gradients.cuh"

/** What holds for all parameters at one step. */
struct Step {
  /** Updates performed before this one. */
  long long done;
  float lr;
  float momentum;
  /** What a gradient is multiplied by: its mean over the batches, clipped, without loss scale. */
  float unscale;
  bool skip;

  __device__ __forceinline__ Step(
      const float* schedule, const Clock* clock, const LossScale* loss_scale, const float* clip) {
    done = clock->updates;
    lr = schedule[2 * done];
    momentum = schedule[2 * done + 1];
    unscale = unscale_of(clock, loss_scale);
    skip = false;
    if (clip != nullptr) {
      unscale *= *clip;
    }
    if (loss_scale != nullptr) {
      LossScale state = loss_scale_at(loss_scale, clock->updates);
      done -= state.skipped;
      skip = state.overflow != 0;
    }
  }
};

/** After the last block: nobody reads the clock of this step any more. */
__device__ __forceinline__ void advance(
    Clock* clock, LossScale* loss_scale, unsigned int* ticket) {
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) {
    if (loss_scale != nullptr) {
      *loss_scale = after_step(loss_scale_at(loss_scale, clock->updates));
    }
    clock->updates += 1;
    // Batches in a sum were counted when they joined it.
    clock->batches += clock->pending == 0 ? 1 : 0;
    clock->pending = 0;
  }
}

__device__ __forceinline__ void store_floats(float* to, const float (&from)[WIDTH]) {
  Pack<float> pack;
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    pack.at[i] = from[i];
  }
  store_pack(to, pack);
}

/** Notes in the loss scale's state whether a gradient is infinite or NaN. */
extern "C" __global__ void __launch_bounds__(THREADS) find_overflow(
    const float* g, long long packs, LossScale* loss_scale) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  float values[WIDTH];
  load(g + at, values);
  bool overflow = false;
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    overflow = overflow || !(values[i] - values[i] == 0);
  }
  if (overflow) {
    atomicOr(&loss_scale->overflow, 1u);
  }
}

/** v is null without momentum. */
extern "C" __global__ void __launch_bounds__(THREADS) update_sgd(
    float* w,
    const float* g,
    float* v,
    long long packs,
    long long decayed,
    const float* schedule,
    Clock* clock,
    LossScale* loss_scale,
    const float* clip,
    float weight_decay,
    float take,
    int nesterov,
    unsigned int* ticket) {
  Step step(schedule, clock, loss_scale, clip);
  long long at = global_thread() * WIDTH;
  if (at < packs * WIDTH && !step.skip) {
    float weights[WIDTH];
    float moves[WIDTH];
    load(w + at, weights);
    load(g + at, moves);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      float decay = at + i < decayed ? weight_decay : 0;
      moves[i] = moves[i] * step.unscale + decay * weights[i];
    }
    if (v != nullptr) {
      float velocities[WIDTH] = {};
      if (step.done > 0) {
        load(v + at, velocities);
      }
#pragma unroll
      for (int i = 0; i < WIDTH; i++) {
        float gradient = moves[i];
        float velocity =
            step.done == 0 ? gradient : step.momentum * velocities[i] + take * gradient;
        velocities[i] = velocity;
        moves[i] = nesterov != 0 ? gradient + step.momentum * velocity : velocity;
      }
      store_floats(v + at, velocities);
    }
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      weights[i] -= step.lr * moves[i];
    }
    store_floats(w + at, weights);
  }
  advance(clock, loss_scale, ticket);
}

/** Adam, and with decoupled != 0 AdamW. */
extern "C" __global__ void __launch_bounds__(THREADS) update_adam(
    float* w,
    const float* g,
    float* m,
    float* v,
    long long packs,
    long long decayed,
    const float* schedule,
    Clock* clock,
    LossScale* loss_scale,
    const float* clip,
    double beta2,
    float eps,
    double weight_decay,
    int decoupled,
    unsigned int* ticket) {
  __shared__ float rate;
  __shared__ float root;
  Step step(schedule, clock, loss_scale, clip);
  double beta1 = step.momentum;
  if (threadIdx.x == 0) {
    double t = static_cast<double>(step.done + 1);
    rate = static_cast<float>(step.lr / (1 - pow(beta1, t)));
    root = static_cast<float>(sqrt(1 - pow(beta2, t)));
  }
  __syncthreads();
  long long at = global_thread() * WIDTH;
  if (at < packs * WIDTH && !step.skip) {
    float take1 = static_cast<float>(1 - beta1);
    float keep2 = static_cast<float>(beta2);
    float take2 = static_cast<float>(1 - beta2);
    float keep_weight = decoupled != 0 ? static_cast<float>(1 - step.lr * weight_decay) : 1;
    float decay = decoupled != 0 ? 0 : static_cast<float>(weight_decay);
    float weights[WIDTH];
    float gradients[WIDTH];
    float first[WIDTH];
    float second[WIDTH];
    load(w + at, weights);
    load(g + at, gradients);
    load(m + at, first);
    load(v + at, second);
#pragma unroll
    for (int i = 0; i < WIDTH; i++) {
      bool decays = at + i < decayed;
      float gradient = gradients[i] * step.unscale + (decays ? decay : 0) * weights[i];
      first[i] = step.momentum * first[i] + take1 * gradient;
      second[i] = keep2 * second[i] + take2 * gradient * gradient;
      float kept = (decays ? keep_weight : 1) * weights[i];
      weights[i] = kept - rate * first[i] / (sqrtf(second[i]) / root + eps);
    }
    store_floats(w + at, weights);
    store_floats(m + at, first);
    store_floats(v + at, second);
  }
  advance(clock, loss_scale, ticket);
}
