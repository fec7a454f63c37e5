// The convolution algorithms, with the limits that cuDNN documents. Where the documentation is silent
// or versions differ, the narrower rule holds, so that what passes here is not refused there.
//
// Algorithms that sum with atomic additions are always the fastest and come first: whoever asks for
// reproducible results must look at the determinism field.
#include "cudnn_algorithms.h"

#include <algorithm>

namespace softcuda {
namespace {

int outputSize(int in, int pad, int kernel, int dilation, int stride) {
  int span = in + 2 * pad - ((kernel - 1) * dilation + 1);
  return span < 0 ? 0 : 1 + span / stride;
}

View4 filterView(const FilterDescriptor *descriptor, const char *call) {
  const FilterDescriptor &filter = live(descriptor, call);
  require(filter.type != -1, CUDNN_STATUS_BAD_PARAM, "the filter descriptor was never set");
  return view(filter);
}

/** The geometry without y. */
Convolution geometry(const TensorDescriptor *x, const FilterDescriptor *w, const ConvolutionDescriptor *descriptor,
                     const char *call) {
  const ConvolutionDescriptor &set = live(descriptor, call);
  require(set.computeType != -1, CUDNN_STATUS_BAD_PARAM, "the convolution descriptor was never set");
  Convolution conv;
  conv.x = view(x, "x", call);
  conv.w = filterView(w, call);
  conv.padH = set.padH;
  conv.padW = set.padW;
  conv.strideH = set.strideH;
  conv.strideW = set.strideW;
  conv.dilationH = set.dilationH;
  conv.dilationW = set.dilationW;
  conv.groups = set.groups;
  conv.flipped = set.mode == CUDNN_CONVOLUTION;
  require(conv.x.c == conv.w.c * conv.groups, CUDNN_STATUS_BAD_PARAM,
          "x has " + std::to_string(conv.x.c) + " channels, the filter " + std::to_string(conv.w.c) + " in each of " +
              std::to_string(conv.groups) + " groups");
  require(conv.w.n % conv.groups == 0, CUDNN_STATUS_BAD_PARAM, "the kernels do not divide into the groups");
  return conv;
}

size_t roundedUp(size_t bytes) { return (bytes + 511) / 512 * 512; }

std::vector<Algorithm> forward(const Problem &problem) {
  enum { IMPLICIT_GEMM, IMPLICIT_PRECOMP_GEMM, GEMM, DIRECT, FFT, FFT_TILING, WINOGRAD, WINOGRAD_NONFUSED };
  const Convolution &conv = problem.conv;
  bool undilated = conv.dilationH == 1 && conv.dilationW == 1;
  bool winograd = !problem.channelsLast && undilated && conv.w.h == 3 && conv.w.w == 3 && conv.strideH == 1 &&
                  conv.strideW == 1;
  auto where = [](bool supported) { return supported ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED; };
  size_t indices = roundedUp(sizeof(int) * (conv.y.h * conv.y.w + conv.w.c * conv.w.h * conv.w.w));
  size_t columns = roundedUp(sizeof(float) * conv.x.c * conv.w.h * conv.w.w * conv.y.h * conv.y.w);
  return {
      {WINOGRAD, where(winograd), true, roundedUp(conv.w.elements() * sizeof(float) * 4), 0.8},
      {IMPLICIT_PRECOMP_GEMM, where(undilated), true, indices, 1.0},
      {IMPLICIT_GEMM, where(true), true, 0, 1.5},
      {GEMM, where(!problem.channelsLast && undilated && conv.groups == 1), true, columns, 2.0},
      {DIRECT, where(false), true, 0, 0},
      {FFT, where(false), true, 0, 0},
      {FFT_TILING, where(false), true, 0, 0},
      {WINOGRAD_NONFUSED, where(false), true, 0, 0},
  };
}

std::vector<Algorithm> backwardData(const Problem &problem) {
  enum { ALGO_0, ALGO_1, FFT, FFT_TILING, WINOGRAD, WINOGRAD_NONFUSED };
  size_t transposedFilter = roundedUp(problem.conv.w.elements() * sizeof(float));
  return {
      {ALGO_0, CUDNN_STATUS_SUCCESS, false, 0, 0.9},
      {ALGO_1, CUDNN_STATUS_SUCCESS, true, transposedFilter, 1.0},
      {FFT, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {FFT_TILING, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {WINOGRAD, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {WINOGRAD_NONFUSED, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
  };
}

std::vector<Algorithm> backwardFilter(const Problem &problem) {
  enum { ALGO_0, ALGO_1, FFT, ALGO_3, WINOGRAD, WINOGRAD_NONFUSED, FFT_TILING };
  const Convolution &conv = problem.conv;
  bool undilated = conv.dilationH == 1 && conv.dilationW == 1;
  size_t partialSums = roundedUp(conv.w.elements() * sizeof(float) * 2);
  size_t indices = roundedUp(sizeof(int) * conv.w.c * conv.w.h * conv.w.w);
  return {
      {ALGO_3, undilated ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED, false, indices, 0.8},
      {ALGO_0, CUDNN_STATUS_SUCCESS, false, 0, 0.9},
      {ALGO_1, CUDNN_STATUS_SUCCESS, true, partialSums, 1.0},
      {FFT, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {WINOGRAD, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {WINOGRAD_NONFUSED, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
      {FFT_TILING, CUDNN_STATUS_NOT_SUPPORTED, true, 0, 0},
  };
}

}  // namespace

View4 outputDims(const TensorDescriptor *x, const FilterDescriptor *w, const ConvolutionDescriptor *descriptor,
                 const char *call) {
  Convolution conv = geometry(x, w, descriptor, call);
  View4 y;
  y.n = conv.x.n;
  y.c = conv.w.n;
  y.h = outputSize(conv.x.h, conv.padH, conv.w.h, conv.dilationH, conv.strideH);
  y.w = outputSize(conv.x.w, conv.padW, conv.w.w, conv.dilationW, conv.strideW);
  require(y.h > 0 && y.w > 0, CUDNN_STATUS_BAD_PARAM, "the kernel is larger than the padded image");
  return y;
}

Problem problemOf(const TensorDescriptor *x, const FilterDescriptor *w, const ConvolutionDescriptor *descriptor,
                  const TensorDescriptor *y, const char *call) {
  Problem problem;
  problem.conv = geometry(x, w, descriptor, call);
  View4 expected = outputDims(x, w, descriptor, call);
  problem.conv.y = view(y, "y", call);
  require(problem.conv.y.sameDims(expected), CUDNN_STATUS_BAD_PARAM,
          "y is [" + std::to_string(problem.conv.y.n) + ", " + std::to_string(problem.conv.y.c) + ", " +
              std::to_string(problem.conv.y.h) + ", " + std::to_string(problem.conv.y.w) + "], expected [" +
              std::to_string(expected.n) + ", " + std::to_string(expected.c) + ", " + std::to_string(expected.h) +
              ", " + std::to_string(expected.w) + "]");
  requireSameType(problem.conv.x, problem.conv.w, "x and w");
  requireSameType(problem.conv.x, problem.conv.y, "x and y");
  bool computes = x->type == CUDNN_DATA_DOUBLE ? descriptor->computeType == CUDNN_DATA_DOUBLE
                                               : descriptor->computeType == CUDNN_DATA_FLOAT;
  require(computes, CUDNN_STATUS_NOT_SUPPORTED, "compute type " + std::to_string(descriptor->computeType));
  problem.mathType = descriptor->mathType;
  problem.channelsLast = w->format == CUDNN_TENSOR_NHWC;
  // FMA_MATH alone keeps fp32 operands whole on a GPU with TF32 tensor cores.
  problem.conv.tf32 = problem.conv.x.type == Element::F32 && descriptor->mathType != CUDNN_FMA_MATH;
  if (problem.channelsLast) {
    require(problem.conv.x.packedNhwc() && problem.conv.y.packedNhwc(), CUDNN_STATUS_NOT_SUPPORTED,
            "a KRSC filter needs packed NHWC tensors");
  }
  return problem;
}

std::vector<Algorithm> algorithms(const Problem &problem, Direction direction) {
  std::vector<Algorithm> all = direction == Direction::Forward        ? forward(problem)
                               : direction == Direction::BackwardData ? backwardData(problem)
                                                                      : backwardFilter(problem);
  std::stable_partition(all.begin(), all.end(), [](const Algorithm &a) { return a.status == CUDNN_STATUS_SUCCESS; });
  return all;
}

Algorithm algorithm(const Problem &problem, Direction direction, int id) {
  for (const Algorithm &each : algorithms(problem, direction)) {
    if (each.id == id) {
      require(each.status == CUDNN_STATUS_SUCCESS, CUDNN_STATUS_NOT_SUPPORTED,
              "algorithm " + std::to_string(id) + " does not support this convolution");
      return each;
    }
  }
  throw Refusal{CUDNN_STATUS_BAD_PARAM, "no algorithm " + std::to_string(id)};
}

int64_t nanoseconds(const Problem &problem, const Algorithm &algorithm) {
  double multiplyAddsPerNanosecond = 10000;
  return 3000 + static_cast<int64_t>(algorithm.cost * (1000 + problem.multiplyAdds() / multiplyAddsPerNanosecond));
}

}  // namespace softcuda
