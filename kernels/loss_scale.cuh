// Dynamic loss scaling for fp16, PyTorch's GradScaler: the loss gradient is multiplied by a scale
// that starts at 65536, halves when a gradient overflows (that update is skipped) and doubles after
// 2000 updates in a row. Other than PyTorch's it does not fall below 2^-14, fp16's least normal
// number: a smaller one would take bits from a loss gradient of 1, and in the end be 0.
#pragma once

/** In device memory; all zero at first, and begun anew before the first update. */
struct LossScale {
  /** Power of two; 0 stands for the first scale. */
  float scale;
  /** Updates since the scale last changed. */
  int good_steps;
  /** Updates of this run that were skipped. */
  long long skipped;
  /** Whether a gradient of this update is infinite or NaN. */
  unsigned int overflow;
  unsigned int reserved;
};

constexpr float FIRST_SCALE = 65536.0f;
constexpr float LEAST_SCALE = 1.0f / 16384.0f;
constexpr int GROWTH_INTERVAL = 2000;

/** The state after a number of updates, for the next one. */
__device__ __forceinline__ LossScale loss_scale_at(const LossScale* state, long long updates) {
  LossScale now = *state;
  if (updates == 0 || now.scale == 0) {
    now.scale = FIRST_SCALE;
    now.good_steps = 0;
    now.skipped = 0;
  }
  return now;
}

/** The state after an update. */
__device__ __forceinline__ LossScale after_step(LossScale now) {
  if (now.overflow != 0) {
    now.scale = fmaxf(0.5f * now.scale, LEAST_SCALE);
    now.good_steps = 0;
    now.skipped++;
    now.overflow = 0;
  } else if (++now.good_steps == GROWTH_INTERVAL) {
    now.scale *= 2;
    now.good_steps = 0;
  }
  return now;
}
