// Matrix products as plain loops over column-major matrices; pure functions over host memory.
#pragma once

#include "tensor_view.h"

namespace softcuda {

/** One factor: op(M) where op is the identity or the transposition, and M has leading dimension `ld`. */
struct Factor {
  const float *values;
  int ld;
  bool transposed;

  float at(long row, long column) const {
    return transposed ? values[column + row * ld] : values[row + column * ld];
  }
};

/** C[m, n] = alpha * op(A)[m, k] * op(B)[k, n] + beta * C; operands rounded to TF32 where told. */
void gemm(int m, int n, int k, Factor a, Factor b, bool tf32, Blend blend, float *c, int ldc);

}  // namespace softcuda
