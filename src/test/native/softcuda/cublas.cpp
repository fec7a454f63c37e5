// The software cuBLAS: handles and the products that a linear layer needs.
//
// A workspace given to the handle is filled with NaN at each product. cublasSetStream takes it away
// again, as the real one does. Without one, a product uses memory of the library's own. Unless the math
// mode forbids it, a sum is taken in two parts, each rounded to the output's type.
#include "gemm_math.h"
#include "operand.h"

#define CUBLAS_ENTRY extern "C" SOFTCUDA_API

namespace softcuda {
namespace {

enum : int {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_INTERNAL_ERROR = 14,
  CUBLAS_STATUS_NOT_SUPPORTED = 15,
};
enum : int { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2 };
enum : int { CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14 };
enum : int { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_PEDANTIC = 69, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };

enum : int { CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };

constexpr uintptr_t kWorkspaceAlignment = 256;

struct Handle {
  static constexpr const char *kind = "cublasHandle";
  CUstream stream = nullptr;
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
  int mathMode = 0;
};

struct Refusal {
  int status;
};

void require(bool holds, int status) {
  if (!holds) {
    throw Refusal{status};
  }
}

template <class Body>
int entry(const char *call, Body body) {
  int injected = 0;
  if (shouldFail("cublas", call, &injected)) {
    return injected;
  }
  try {
    body();
    return CUBLAS_STATUS_SUCCESS;
  } catch (const Refusal &refusal) {
    return refusal.status;
  } catch (const BadOperand &) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
}

Handle &live(Handle *handle, const char *call) {
  require(handle != nullptr && checkLive(Handle::kind, handle, call), CUBLAS_STATUS_NOT_INITIALIZED);
  return *handle;
}

/** A live handle whose context and stream can take work. */
Handle &working(Handle *handle, const char *call) {
  Handle &checked = live(handle, call);
  require(contextError(call) == 0 && isStream(checked.stream), CUBLAS_STATUS_EXECUTION_FAILED);
  return checked;
}

/** A scaling factor, read now. */
double scalar(const char *call, const void *pointer) {
  const float *host = hostScalar(call, pointer);
  require(host != nullptr, CUBLAS_STATUS_INVALID_VALUE);
  return *host;
}

bool transposed(int operation) {
  require(operation >= CUBLAS_OP_N && operation <= CUBLAS_OP_C, CUBLAS_STATUS_INVALID_VALUE);
  return operation != CUBLAS_OP_N;
}

/** Elements that a column-major matrix spans. */
size_t span(int rows, int columns, int ld) { return static_cast<size_t>(columns - 1) * ld + rows; }

Element elementOf(int type) {
  require(type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF, CUBLAS_STATUS_NOT_SUPPORTED);
  return type == CUDA_R_32F ? Element::F32 : type == CUDA_R_16F ? Element::F16 : Element::BF16;
}

/** Memory that a product writes may be no other operand's. */
void requireApart(const Operand &output, const std::vector<Operand> &others) {
  const Operand *shared = overlapping(output, others);
  if (shared != nullptr) {
    violation(output.what + " shares memory with " + shared->what);
    throw Refusal{CUBLAS_STATUS_INVALID_VALUE};
  }
}

std::vector<Operand> workspaceOf(const Handle &handle, const char *call) {
  std::vector<Operand> workspace;
  if (handle.workspaceBytes > 0) {
    workspace.push_back(Operand::scratch(call, "workspace", handle.workspace, handle.workspaceBytes));
  }
  return workspace;
}

void submit(const Handle &handle, const char *call, std::function<void()> work) {
  require(enqueue(handle.stream, call, std::move(work)) == 0, CUBLAS_STATUS_EXECUTION_FAILED);
}

struct Matrix {
  const void *address;
  Element type;
  int ld;
};

void product(const char *call, Handle *handle, int operationA, int operationB, int m, int n, int k, const void *alpha,
             Matrix a, Matrix b, const void *beta, Matrix c, bool tf32) {
  Handle &checked = working(handle, call);
  bool turnA = transposed(operationA), turnB = transposed(operationB);
  int rowsA = turnA ? k : m, columnsA = turnA ? m : k;
  int rowsB = turnB ? n : k, columnsB = turnB ? k : n;
  require(m >= 0 && n >= 0 && k >= 0, CUBLAS_STATUS_INVALID_VALUE);
  require(a.ld >= std::max(1, rowsA) && b.ld >= std::max(1, rowsB) && c.ld >= std::max(1, m),
          CUBLAS_STATUS_INVALID_VALUE);
  Blend blend{scalar(call, alpha), scalar(call, beta)};
  if (m == 0 || n == 0) {
    return;
  }
  require(k > 0, CUBLAS_STATUS_NOT_SUPPORTED);
  Operand left(call, "A", a.address, a.type, span(rowsA, columnsA, a.ld));
  Operand right(call, "B", b.address, b.type, span(rowsB, columnsB, b.ld));
  Operand out(call, "C", c.address, c.type, span(m, n, c.ld));
  std::vector<Operand> workspace = workspaceOf(checked, call);
  requireApart(out, {left, right});
  for (const Operand &each : workspace) {
    requireApart(each, {left, right, out});
  }
  int lda = a.ld, ldb = b.ld, ldc = c.ld;
  // As the real one may: parts of the sum are rounded to the output's type before they are added.
  bool split = k > 1 && !(checked.mathMode & CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  submit(checked, call, [=] {
    for (const Operand &each : workspace) {
      scribble(each);
    }
    Input leftValues = left.read(), rightValues = right.read();
    auto part = [&](int from, int terms, Blend how) {
      Factor leftPart{leftValues + static_cast<long>(from) * (turnA ? 1 : lda), lda, turnA};
      Factor rightPart{rightValues + static_cast<long>(from) * (turnB ? ldb : 1), ldb, turnB};
      gemm(m, n, terms, leftPart, rightPart, tf32, how, out.blended(how), ldc);
    };
    int first = split ? k / 2 : 0;
    if (split) {
      part(0, first, blend);
    }
    part(first, k - first, split ? Blend{blend.alpha, 1} : blend);
    spend(2000 + static_cast<uint64_t>(m) * n * k / 10000);
  });
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

CUBLAS_ENTRY int cublasCreate_v2(Handle **handle) {
  return entry("cublasCreate", [&] {
    require(handle != nullptr, CUBLAS_STATUS_INVALID_VALUE);
    require(contextError("cublasCreate") == 0, CUBLAS_STATUS_NOT_INITIALIZED);
    require(!illegalInCapture("cublasCreate"), CUBLAS_STATUS_INTERNAL_ERROR);  // it allocates device memory
    *handle = new Handle();
    track(Handle::kind, *handle, "cublasCreate");
  });
}

CUBLAS_ENTRY int cublasDestroy_v2(Handle *handle) {
  return entry("cublasDestroy", [&] {
    Handle &checked = live(handle, "cublasDestroy");
    require(!illegalInCapture("cublasDestroy"), CUBLAS_STATUS_EXECUTION_FAILED);  // it waits for the device
    if (isStream(checked.stream)) {
      synchronize(checked.stream);
    }
    untrack(Handle::kind, handle, "cublasDestroy");
  });
}

CUBLAS_ENTRY int cublasGetVersion_v2(Handle *handle, int *version) {
  return entry("cublasGetVersion", [&] {
    live(handle, "cublasGetVersion");
    require(version != nullptr, CUBLAS_STATUS_INVALID_VALUE);
    *version = 120600;
  });
}

CUBLAS_ENTRY int cublasSetStream_v2(Handle *handle, CUstream stream) {
  return entry("cublasSetStream", [&] {
    Handle &checked = live(handle, "cublasSetStream");
    require(isStream(stream), CUBLAS_STATUS_INVALID_VALUE);
    checked.stream = stream;
    checked.workspace = nullptr;
    checked.workspaceBytes = 0;
  });
}

CUBLAS_ENTRY int cublasSetWorkspace_v2(Handle *handle, void *workspace, size_t bytes) {
  return entry("cublasSetWorkspace", [&] {
    Handle &checked = live(handle, "cublasSetWorkspace");
    require(workspace != nullptr || bytes == 0, CUBLAS_STATUS_INVALID_VALUE);
    require(reinterpret_cast<uintptr_t>(workspace) % kWorkspaceAlignment == 0, CUBLAS_STATUS_INVALID_VALUE);
    checked.workspace = workspace;
    checked.workspaceBytes = bytes;
  });
}

CUBLAS_ENTRY int cublasSetMathMode(Handle *handle, int mode) {
  return entry("cublasSetMathMode", [&] {
    Handle &checked = live(handle, "cublasSetMathMode");
    int kind = mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    require(kind >= 0 && kind <= 3, CUBLAS_STATUS_INVALID_VALUE);
    checked.mathMode = mode;
  });
}

CUBLAS_ENTRY int cublasGemmEx(Handle *handle, int operationA, int operationB, int m, int n, int k, const void *alpha,
                              const void *a, int typeA, int lda, const void *b, int typeB, int ldb, const void *beta,
                              void *c, int typeC, int ldc, int computeType, int) {
  return entry("cublasGemmEx", [&] {
    bool fast = computeType == CUBLAS_COMPUTE_32F_FAST_TF32;
    require(fast || computeType == CUBLAS_COMPUTE_32F || computeType == CUBLAS_COMPUTE_32F_PEDANTIC,
            CUBLAS_STATUS_NOT_SUPPORTED);
    require(typeA == typeB && (typeC == typeA || typeC == CUDA_R_32F), CUBLAS_STATUS_NOT_SUPPORTED);
    require(!fast || typeA == CUDA_R_32F, CUBLAS_STATUS_NOT_SUPPORTED);
    product("cublasGemmEx", handle, operationA, operationB, m, n, k, alpha, {a, elementOf(typeA), lda},
            {b, elementOf(typeB), ldb}, beta, {c, elementOf(typeC), ldc}, fast);
  });
}
