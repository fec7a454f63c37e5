// The questions about a convolution: workspace size, and which algorithms there are, the fastest first.
//
// Speeds are made up, the same at each call; results carry the entries that the real one's have: one
// per algorithm and math type, the unsupported ones last.
#include <cstdint>

#include "cudnn_algorithms.h"

namespace softcuda {

/** cudnnConvolutionFwdAlgoPerf_t and its two siblings, which have one layout. */
struct AlgorithmResult {
  int algorithm;
  int status;
  float milliseconds;
  size_t memory;
  int determinism;
  int mathType;
  int reserved[3];
};
static_assert(sizeof(AlgorithmResult) == 48, "cuDNN's layout");

namespace {

struct Arguments {
  Direction direction;
  const TensorDescriptor *x;
  const FilterDescriptor *w;
  const ConvolutionDescriptor *conv;
  const TensorDescriptor *y;
};

Problem problemOf(const Arguments &a, const char *call) { return softcuda::problemOf(a.x, a.w, a.conv, a.y, call); }

AlgorithmResult result(const Problem &problem, const Algorithm &algorithm, int mathType) {
  AlgorithmResult result = {};
  result.algorithm = algorithm.id;
  result.status = algorithm.status;
  result.milliseconds = -1;
  result.determinism = algorithm.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
  result.mathType = mathType;
  if (algorithm.status == CUDNN_STATUS_SUCCESS) {
    double fmaPenalty = mathType == CUDNN_FMA_MATH && problem.mathType != CUDNN_FMA_MATH ? 4 : 1;
    result.milliseconds = static_cast<float>(fmaPenalty * nanoseconds(problem, algorithm) / 1e6);
    result.memory = algorithm.workspaceBytes;
  }
  return result;
}

/** Entries in cuDNN's order; true fp32 variants follow where the descriptor allows TF32. */
std::vector<AlgorithmResult> ranked(const Problem &problem, Direction direction) {
  std::vector<Algorithm> all = algorithms(problem, direction);
  std::vector<AlgorithmResult> supported, slower, unsupported;
  for (const Algorithm &each : all) {
    if (each.status != CUDNN_STATUS_SUCCESS) {
      unsupported.push_back(result(problem, each, problem.mathType));
      continue;
    }
    supported.push_back(result(problem, each, problem.mathType));
    if (problem.mathType != CUDNN_FMA_MATH) {
      slower.push_back(result(problem, each, CUDNN_FMA_MATH));
    }
  }
  supported.insert(supported.end(), slower.begin(), slower.end());
  supported.insert(supported.end(), unsupported.begin(), unsupported.end());
  return supported;
}

/** Even a failing call says that it found nothing: JCudnn copies this many results in any case. */
void clear(int *returned) {
  if (returned != nullptr) {
    *returned = 0;
  }
}

void requireRoom(int requested, const int *returned, const AlgorithmResult *results) {
  require(requested > 0 && returned != nullptr && results != nullptr, CUDNN_STATUS_BAD_PARAM, "no room for results");
}

void report(const std::vector<AlgorithmResult> &found, int requested, int *returned, AlgorithmResult *results) {
  *returned = std::min<int>(requested, static_cast<int>(found.size()));
  std::copy(found.begin(), found.begin() + *returned, results);
}

/** The heuristic's answer: the same order, no times. */
int guess(const char *call, CudnnHandle *handle, const Arguments &arguments, int requested, int *returned,
          AlgorithmResult *results) {
  clear(returned);
  return entry(call, [&] {
    liveHandle(handle, call);
    Problem problem = problemOf(arguments, call);
    requireRoom(requested, returned, results);
    std::vector<AlgorithmResult> found = ranked(problem, arguments.direction);
    for (AlgorithmResult &each : found) {
      each.milliseconds = -1;
    }
    report(found, requested, returned, results);
  });
}

int workspaceSize(const char *call, CudnnHandle *handle, const Arguments &arguments, int id, size_t *bytes) {
  return entry(call, [&] {
    liveHandle(handle, call);
    require(bytes != nullptr, CUDNN_STATUS_BAD_PARAM, "null size");
    *bytes = algorithm(problemOf(arguments, call), arguments.direction, id).workspaceBytes;
  });
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnGetConvolutionForwardWorkspaceSize(CudnnHandle *handle, TensorDescriptor *x, FilterDescriptor *w,
                                                        ConvolutionDescriptor *conv, TensorDescriptor *y, int id,
                                                        size_t *bytes) {
  return workspaceSize("cudnnGetConvolutionForwardWorkspaceSize", handle, {Direction::Forward, x, w, conv, y}, id,
                       bytes);
}

CUDNN_ENTRY int cudnnGetConvolutionBackwardDataWorkspaceSize(CudnnHandle *handle, FilterDescriptor *w,
                                                             TensorDescriptor *dy, ConvolutionDescriptor *conv,
                                                             TensorDescriptor *dx, int id, size_t *bytes) {
  return workspaceSize("cudnnGetConvolutionBackwardDataWorkspaceSize", handle,
                       {Direction::BackwardData, dx, w, conv, dy}, id, bytes);
}

CUDNN_ENTRY int cudnnGetConvolutionBackwardFilterWorkspaceSize(CudnnHandle *handle, TensorDescriptor *x,
                                                               TensorDescriptor *dy, ConvolutionDescriptor *conv,
                                                               FilterDescriptor *dw, int id, size_t *bytes) {
  return workspaceSize("cudnnGetConvolutionBackwardFilterWorkspaceSize", handle,
                       {Direction::BackwardFilter, x, dw, conv, dy}, id, bytes);
}

CUDNN_ENTRY int cudnnGetConvolutionForwardAlgorithm_v7(CudnnHandle *handle, TensorDescriptor *x, FilterDescriptor *w,
                                                       ConvolutionDescriptor *conv, TensorDescriptor *y, int requested,
                                                       int *returned, AlgorithmResult *results) {
  return guess("cudnnGetConvolutionForwardAlgorithm_v7", handle, {Direction::Forward, x, w, conv, y}, requested,
               returned, results);
}

CUDNN_ENTRY int cudnnGetConvolutionBackwardDataAlgorithm_v7(CudnnHandle *handle, FilterDescriptor *w,
                                                            TensorDescriptor *dy, ConvolutionDescriptor *conv,
                                                            TensorDescriptor *dx, int requested, int *returned,
                                                            AlgorithmResult *results) {
  return guess("cudnnGetConvolutionBackwardDataAlgorithm_v7", handle, {Direction::BackwardData, dx, w, conv, dy},
               requested, returned, results);
}

CUDNN_ENTRY int cudnnGetConvolutionBackwardFilterAlgorithm_v7(CudnnHandle *handle, TensorDescriptor *x,
                                                              TensorDescriptor *dy, ConvolutionDescriptor *conv,
                                                              FilterDescriptor *dw, int requested, int *returned,
                                                              AlgorithmResult *results) {
  return guess("cudnnGetConvolutionBackwardFilterAlgorithm_v7", handle, {Direction::BackwardFilter, x, dw, conv, dy},
               requested, returned, results);
}
