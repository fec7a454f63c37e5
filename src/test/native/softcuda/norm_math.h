// Batch normalisation per channel as plain loops; pure functions over host memory.
#pragma once

#include "tensor_view.h"

namespace softcuda {

/** Per-channel statistics that a training step reads and writes; null where the caller gave none. */
struct BatchStatistics {
  float *runningMean = nullptr;
  float *runningVariance = nullptr;
  float *saveMean = nullptr;
  float *saveInvVariance = nullptr;
};

/**
 * y = scale * (x - mean) / sqrt(variance + epsilon) + bias over the batch's mean and biased variance.
 *
 * running = (1 - factor) * running + factor * batch, where the batch's variance is the unbiased one.
 */
void batchNormTraining(const View4 &xView, const float *x, const View4 &yView, Blend blend, float *y,
                       const float *scale, const float *bias, double factor, double epsilon,
                       BatchStatistics statistics);

/** The same formula over given statistics. */
void batchNormInference(const View4 &xView, const float *x, const View4 &yView, Blend blend, float *y,
                        const float *scale, const float *bias, const float *mean, const float *variance,
                        double epsilon);

/**
 * With xhat = (x - mean) * invVariance and m pixels per channel:
 * dBias = sum(dy), dScale = sum(dy * xhat), dx = scale * invVariance * (dy - dBias / m - xhat * dScale / m).
 *
 * @param savedMean and savedInvVariance of the forward pass, or both null: computed again from x
 */
void batchNormBackward(const View4 &xView, const float *x, const View4 &dyView, const float *dy, const View4 &dxView,
                       Blend dataBlend, float *dx, const float *scale, Blend parameterBlend, float *dScale,
                       float *dBias, double epsilon, const float *savedMean, const float *savedInvVariance);

}  // namespace softcuda
