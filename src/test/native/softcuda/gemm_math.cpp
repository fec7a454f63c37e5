// The products: op(A) is copied to column-major doubles, so that the inner loop adds whole columns.
#include "gemm_math.h"

#include <algorithm>
#include <vector>

#include "fast_loops.h"

#pragma GCC optimize("O3")

namespace softcuda {
namespace {

[[gnu::always_inline]] inline void addScaled(double *__restrict sums, double factor, const double *__restrict column, int count) {
  for (int i = 0; i < count; i++) {
    sums[i] += factor * column[i];
  }
}

}  // namespace

SOFTCUDA_FAST void gemm(int m, int n, int k, Factor a, Factor b, bool tf32, Blend blend, float *c, int ldc) {
  auto operand = [&](float value) { return static_cast<double>(tf32 ? roundToTf32(value) : value); };
  std::vector<double> columns(static_cast<size_t>(m) * k);
  for (long j = 0; j < k; j++) {
    for (long i = 0; i < m; i++) {
      columns[j * m + i] = operand(a.at(i, j));
    }
  }
  std::vector<double> sums(m);
  for (long j = 0; j < n; j++) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (long i = 0; i < k; i++) {
      addScaled(sums.data(), operand(b.at(i, j)), &columns[i * m], m);
    }
    for (long i = 0; i < m; i++) {
      blend.store(c + i + j * ldc, sums[i]);
    }
  }
}

}  // namespace softcuda
