// What the flat gradient buffer holds: the sum over the batches that wait for an update, in fp16
// times the loss scale.
#pragma once

#include "clock.cuh"
#include "loss_scale.cuh"
#include "reduce.cuh"

/**
 * What a gradient is multiplied by to become the mean over the batches in the sum.
 *
 * @param loss_scale null where the loss is not scaled
 */
__device__ __forceinline__ float unscale_of(const Clock* clock, const LossScale* loss_scale) {
  float scale = loss_scale == nullptr ? 1 : loss_scale_at(loss_scale, clock->updates).scale;
  return 1 / (scale * static_cast<float>(clock->pending > 1 ? clock->pending : 1));
}
