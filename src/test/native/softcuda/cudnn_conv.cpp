// Convolution and its gradients.
//
// Every execution checks its workspace and fills all of it with NaN. Algorithms that cuDNN calls
// non-deterministic round differently from one execution to the next, replays of a graph included.
#include <atomic>

#include "cudnn_algorithms.h"

namespace softcuda {
namespace {

/** Kernels read sixteen bytes at a time. */
constexpr uintptr_t kAlignment = 16;

/** One execution: which operands, and what the loops do with host pointers to them. */
struct Execution {
  Direction direction;
  const void *alpha, *beta;
  int algorithm;
  const void *workspace;
  size_t workspaceBytes;
};

/** The number of an unordered execution, from which it takes where its sums start. */
unsigned nextTurn() {
  static std::atomic<unsigned> executions{0};
  return 1 + executions.fetch_add(1) % 251;
}

using Loops = void (*)(const Convolution &, const float *, const float *, Blend, float *);

void execute(const char *call, CudnnHandle *handle, const Execution &run, const Problem &problem, Operand input1,
             Operand input2, Operand output, Loops loops) {
  CudnnHandle &checked = liveHandle(handle, call);
  Algorithm chosen = algorithm(problem, run.direction, run.algorithm);
  require(problem.conv.x.type != Element::F64, CUDNN_STATUS_NOT_SUPPORTED, "the software device has no fp64 loops");
  Blend blend = blendOf(run.alpha, run.beta);
  require(run.workspaceBytes >= chosen.workspaceBytes, CUDNN_STATUS_BAD_PARAM,
          "a workspace of " + std::to_string(run.workspaceBytes) + " bytes, where algorithm " +
              std::to_string(chosen.id) + " needs " + std::to_string(chosen.workspaceBytes));
  for (const Operand &each : {input1, input2, output}) {
    require(reinterpret_cast<uintptr_t>(each.address) % kAlignment == 0, CUDNN_STATUS_BAD_PARAM,
            each.what + " is not aligned to 16 bytes");
  }
  requireApart(output, {input1, input2});
  std::vector<Operand> scratch;
  if (chosen.workspaceBytes > 0) {
    scratch.push_back(Operand::scratch(call, "workspace", run.workspace, run.workspaceBytes));
    requireApart(scratch[0], {input1, input2, output});
  }
  int64_t duration = nanoseconds(problem, chosen);
  submit(checked, call, [=] {
    for (const Operand &each : scratch) {
      scribble(each);
    }
    Convolution conv = problem.conv;
    conv.unordered = !chosen.deterministic;
    conv.turn = conv.unordered ? nextTurn() : 0;
    loops(conv, input1.read(), input2.read(), blend, output.blended(blend));
    spend(duration);
  });
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUDNN_ENTRY int cudnnConvolutionForward(CudnnHandle *handle, const void *alpha, TensorDescriptor *xDesc, const void *x,
                                        FilterDescriptor *wDesc, const void *w, ConvolutionDescriptor *convDesc,
                                        int algorithm, void *workspace, size_t workspaceBytes, const void *beta,
                                        TensorDescriptor *yDesc, void *y) {
  const char *call = "cudnnConvolutionForward";
  return entry(call, [&] {
    Problem problem = problemOf(xDesc, wDesc, convDesc, yDesc, call);
    execute(call, handle, {Direction::Forward, alpha, beta, algorithm, workspace, workspaceBytes}, problem,
            {call, "x", x, problem.conv.x}, {call, "w", w, problem.conv.w}, {call, "y", y, problem.conv.y},
            convolutionForward);
  });
}

CUDNN_ENTRY int cudnnConvolutionBackwardData(CudnnHandle *handle, const void *alpha, FilterDescriptor *wDesc,
                                             const void *w, TensorDescriptor *dyDesc, const void *dy,
                                             ConvolutionDescriptor *convDesc, int algorithm, void *workspace,
                                             size_t workspaceBytes, const void *beta, TensorDescriptor *dxDesc,
                                             void *dx) {
  const char *call = "cudnnConvolutionBackwardData";
  return entry(call, [&] {
    Problem problem = problemOf(dxDesc, wDesc, convDesc, dyDesc, call);
    execute(call, handle, {Direction::BackwardData, alpha, beta, algorithm, workspace, workspaceBytes}, problem,
            {call, "w", w, problem.conv.w}, {call, "dy", dy, problem.conv.y}, {call, "dx", dx, problem.conv.x},
            convolutionBackwardData);
  });
}

CUDNN_ENTRY int cudnnConvolutionBackwardFilter(CudnnHandle *handle, const void *alpha, TensorDescriptor *xDesc,
                                               const void *x, TensorDescriptor *dyDesc, const void *dy,
                                               ConvolutionDescriptor *convDesc, int algorithm, void *workspace,
                                               size_t workspaceBytes, const void *beta, FilterDescriptor *dwDesc,
                                               void *dw) {
  const char *call = "cudnnConvolutionBackwardFilter";
  return entry(call, [&] {
    Problem problem = problemOf(xDesc, dwDesc, convDesc, dyDesc, call);
    execute(call, handle, {Direction::BackwardFilter, alpha, beta, algorithm, workspace, workspaceBytes}, problem,
            {call, "x", x, problem.conv.x}, {call, "dy", dy, problem.conv.y}, {call, "dw", dw, problem.conv.w},
            convolutionBackwardFilter);
  });
}
