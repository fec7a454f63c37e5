// Which convolution algorithms exist for a problem, and what each one claims about itself.
#pragma once

#include <vector>

#include "conv_math.h"
#include "cudnn_api.h"

namespace softcuda {

enum class Direction { Forward, BackwardData, BackwardFilter };

/** A convolution whose descriptors fit together. */
struct Problem {
  Convolution conv;
  int mathType = CUDNN_DEFAULT_MATH;
  bool channelsLast = false;       // the filter is KRSC, and the tensors are packed NHWC

  int64_t multiplyAdds() const { return conv.y.elements() * conv.w.c * conv.w.h * conv.w.w; }
};

/** Checks the four descriptors against each other, y's size included. */
Problem problemOf(const TensorDescriptor *x, const FilterDescriptor *w, const ConvolutionDescriptor *conv,
                  const TensorDescriptor *y, const char *call);

/** y's dimensions. */
View4 outputDims(const TensorDescriptor *x, const FilterDescriptor *w, const ConvolutionDescriptor *conv,
                 const char *call);

struct Algorithm {
  int id;
  int status;  // SUCCESS, or NOT_SUPPORTED for this problem
  bool deterministic;
  size_t workspaceBytes;
  double cost;  // relative time per multiply-add
};

/** All algorithms of a direction, the fastest first and the unsupported ones last. */
std::vector<Algorithm> algorithms(const Problem &problem, Direction direction);

/** One that supports the problem, else NOT_SUPPORTED; an unknown id is a BAD_PARAM. */
Algorithm algorithm(const Problem &problem, Direction direction, int id);

/** Time that the fake clock gives an execution. */
int64_t nanoseconds(const Problem &problem, const Algorithm &algorithm);

}  // namespace softcuda
