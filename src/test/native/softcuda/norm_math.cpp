// Batch normalisation: two passes for the statistics, in double, then one for the values.
#include "norm_math.h"

#include <cmath>
#include <vector>

namespace softcuda {
namespace {

template <class Body>
void forEachPixel(const View4 &view, Body body) {
  for (int n = 0; n < view.n; n++) {
    for (int h = 0; h < view.h; h++) {
      for (int w = 0; w < view.w; w++) {
        body(n, h, w);
      }
    }
  }
}

double pixels(const View4 &view) { return static_cast<double>(view.n) * view.h * view.w; }

struct Moments {
  std::vector<double> mean, variance;  // biased
};

Moments moments(const View4 &view, const float *x) {
  Moments result{std::vector<double>(view.c), std::vector<double>(view.c)};
  forEachPixel(view, [&](int n, int h, int w) {
    const float *pixel = x + view.at(n, 0, h, w);
    for (int c = 0; c < view.c; c++) {
      result.mean[c] += pixel[c * view.sc];
    }
  });
  for (double &mean : result.mean) {
    mean /= pixels(view);
  }
  forEachPixel(view, [&](int n, int h, int w) {
    const float *pixel = x + view.at(n, 0, h, w);
    for (int c = 0; c < view.c; c++) {
      double deviation = pixel[c * view.sc] - result.mean[c];
      result.variance[c] += deviation * deviation;
    }
  });
  for (double &variance : result.variance) {
    variance /= pixels(view);
  }
  return result;
}

/** y = factor[c] * x + offset[c] */
void affine(const View4 &xView, const float *x, const View4 &yView, Blend blend, float *y,
            const std::vector<double> &factor, const std::vector<double> &offset) {
  forEachPixel(xView, [&](int n, int h, int w) {
    const float *from = x + xView.at(n, 0, h, w);
    float *to = y + yView.at(n, 0, h, w);
    for (int c = 0; c < xView.c; c++) {
      blend.store(to + c * yView.sc, factor[c] * from[c * xView.sc] + offset[c]);
    }
  });
}

void average(float *running, double factor, double batch) {
  *running = static_cast<float>((1 - factor) * *running + factor * batch);
}

}  // namespace

void batchNormTraining(const View4 &xView, const float *x, const View4 &yView, Blend blend, float *y,
                       const float *scale, const float *bias, double factor, double epsilon,
                       BatchStatistics statistics) {
  Moments batch = moments(xView, x);
  double m = pixels(xView);
  std::vector<double> factors(xView.c), offsets(xView.c);
  for (int c = 0; c < xView.c; c++) {
    double invVariance = 1 / std::sqrt(batch.variance[c] + epsilon);
    factors[c] = scale[c] * invVariance;
    offsets[c] = bias[c] - batch.mean[c] * factors[c];
    if (statistics.saveMean != nullptr) {
      statistics.saveMean[c] = static_cast<float>(batch.mean[c]);
      statistics.saveInvVariance[c] = static_cast<float>(invVariance);
    }
    if (statistics.runningMean != nullptr) {
      average(statistics.runningMean + c, factor, batch.mean[c]);
      average(statistics.runningVariance + c, factor, batch.variance[c] * m / (m - 1));
    }
  }
  affine(xView, x, yView, blend, y, factors, offsets);
}

void batchNormInference(const View4 &xView, const float *x, const View4 &yView, Blend blend, float *y,
                        const float *scale, const float *bias, const float *mean, const float *variance,
                        double epsilon) {
  std::vector<double> factors(xView.c), offsets(xView.c);
  for (int c = 0; c < xView.c; c++) {
    factors[c] = scale[c] / std::sqrt(variance[c] + epsilon);
    offsets[c] = bias[c] - mean[c] * factors[c];
  }
  affine(xView, x, yView, blend, y, factors, offsets);
}

void batchNormBackward(const View4 &xView, const float *x, const View4 &dyView, const float *dy, const View4 &dxView,
                       Blend dataBlend, float *dx, const float *scale, Blend parameterBlend, float *dScale,
                       float *dBias, double epsilon, const float *savedMean, const float *savedInvVariance) {
  const int channels = xView.c;
  const double m = pixels(xView);
  std::vector<double> mean(channels), invVariance(channels);
  if (savedMean != nullptr) {
    mean.assign(savedMean, savedMean + channels);
    invVariance.assign(savedInvVariance, savedInvVariance + channels);
  } else {
    Moments batch = moments(xView, x);
    mean = batch.mean;
    for (int c = 0; c < channels; c++) {
      invVariance[c] = 1 / std::sqrt(batch.variance[c] + epsilon);
    }
  }
  std::vector<double> sumDy(channels), sumDyXhat(channels);
  forEachPixel(xView, [&](int n, int h, int w) {
    const float *value = x + xView.at(n, 0, h, w);
    const float *gradient = dy + dyView.at(n, 0, h, w);
    for (int c = 0; c < channels; c++) {
      double g = gradient[c * dyView.sc];
      sumDy[c] += g;
      sumDyXhat[c] += g * (value[c * xView.sc] - mean[c]) * invVariance[c];
    }
  });
  forEachPixel(xView, [&](int n, int h, int w) {
    const float *value = x + xView.at(n, 0, h, w);
    const float *gradient = dy + dyView.at(n, 0, h, w);
    float *to = dx + dxView.at(n, 0, h, w);
    for (int c = 0; c < channels; c++) {
      double xhat = (value[c * xView.sc] - mean[c]) * invVariance[c];
      double centred = gradient[c * dyView.sc] - sumDy[c] / m - xhat * sumDyXhat[c] / m;
      dataBlend.store(to + c * dxView.sc, scale[c] * invVariance[c] * centred);
    }
  });
  for (int c = 0; c < channels; c++) {
    parameterBlend.store(dScale + c, sumDyXhat[c]);
    parameterBlend.store(dBias + c, sumDy[c]);
  }
}

}  // namespace softcuda
