// The convolution loops. Operands are first brought to channels-last order, so that one loop serves
// every layout and the innermost one runs over adjacent channels, where the compiler vectorises it.
#include "conv_math.h"

#include <algorithm>
#include <vector>

#include "fast_loops.h"

#pragma GCC optimize("O3")

namespace softcuda {
namespace {

float operand(const Convolution &conv, float value) { return conv.tf32 ? roundToTf32(value) : value; }

/** A tensor as packed [N, H, W, C] floats: the memory itself where it is so, else a copy. */
class ChannelsLast {
 public:
  ChannelsLast(const Convolution &conv, const View4 &view, const float *from) : view_(view), data_(from) {
    if (conv.tf32 || !view.packedNhwc()) {
      copy(conv, from);
      data_ = copy_.data();
    }
  }

  /** @param hw the pixel's index in its image */
  const float *pixel(long n, long hw) const { return data_ + (n * view_.h * view_.w + hw) * view_.c; }

 private:
  void copy(const Convolution &conv, const float *from) {
    copy_.reserve(view_.elements());
    for (int n = 0; n < view_.n; n++) {
      for (int h = 0; h < view_.h; h++) {
        for (int w = 0; w < view_.w; w++) {
          for (int c = 0; c < view_.c; c++) {
            copy_.push_back(operand(conv, from[view_.at(n, c, h, w)]));
          }
        }
      }
    }
  }

  const View4 &view_;
  std::vector<float> copy_;
  const float *data_;
};

/** What the loops need to know about groups: channels in and out of one of them. */
struct Groups {
  int count, cin, cout;
  explicit Groups(const Convolution &conv)
      : count(conv.groups), cin(conv.w.c), cout(conv.w.n / conv.groups) {}
};

/** An element of the filter's window that meets the image. */
struct Tap {
  int index;  // r * S + s
  int pixel;  // h * W + w
};

/** Where the matrix of a group and a tap begins in [group][R * S][inner rows][inner columns]. */
long matrix(const Convolution &conv, const Groups &groups, int group, const Tap &tap) {
  return (static_cast<long>(group) * conv.w.h * conv.w.w + tap.index) * groups.cin * groups.cout;
}

int filterRow(const Convolution &conv, int r) { return conv.flipped ? conv.w.h - 1 - r : r; }

int filterColumn(const Convolution &conv, int s) { return conv.flipped ? conv.w.w - 1 - s : s; }

/** The filter as [group][R][S][C][K] doubles, or with K before C. */
std::vector<double> filterByTap(const Convolution &conv, const float *w, bool kernelsLast) {
  Groups groups(conv);
  std::vector<double> to(conv.w.elements());
  double *next = to.data();
  int rows = kernelsLast ? groups.cin : groups.cout;
  int columns = kernelsLast ? groups.cout : groups.cin;
  for (int g = 0; g < groups.count; g++) {
    for (int r = 0; r < conv.w.h; r++) {
      for (int s = 0; s < conv.w.w; s++) {
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < columns; j++) {
            int c = kernelsLast ? i : j;
            int k = g * groups.cout + (kernelsLast ? j : i);
            *next++ = operand(conv, w[conv.w.at(k, c, filterRow(conv, r), filterColumn(conv, s))]);
          }
        }
      }
    }
  }
  return to;
}

/** A row-major matrix, or a vector of which every `stride`th element counts. */
template <typename Value>
struct Strided {
  const Value *values;
  long stride;
};

/** One block of addProduct's columns, with sums that stay in registers. */
template <int Block, typename Acc, typename Value>
[[gnu::always_inline]] inline void addColumns(Acc *acc, Strided<float> vector, Strided<Value> matrix, int rows) {
  Acc sums[Block];
  for (int i = 0; i < Block; i++) {
    sums[i] = acc[i];
  }
  for (int row = 0; row < rows; row++) {
    double factor = vector.values[row * vector.stride];
    const Value *values = matrix.values + row * matrix.stride;
    for (int i = 0; i < Block; i++) {
      sums[i] += static_cast<Acc>(factor * values[i]);
    }
  }
  for (int i = 0; i < Block; i++) {
    acc[i] = sums[i];
  }
}

/** acc[columns] += vector[rows] * matrix[rows, columns] */
template <typename Acc, typename Value>
[[gnu::always_inline]] inline void addProduct(Acc *acc, Strided<float> vector, Strided<Value> matrix, int rows,
                                              int columns) {
  int first = 0;
  for (; first + 16 <= columns; first += 16) {
    addColumns<16>(acc + first, vector, Strided<Value>{matrix.values + first, matrix.stride}, rows);
  }
  for (; first + 4 <= columns; first += 4) {
    addColumns<4>(acc + first, vector, Strided<Value>{matrix.values + first, matrix.stride}, rows);
  }
  for (; first < columns; first++) {
    addColumns<1>(acc + first, vector, Strided<Value>{matrix.values + first, matrix.stride}, rows);
  }
}

/** The taps of the output pixel (p, q) that lie inside the image. */
void tapsInside(const Convolution &conv, int p, int q, std::vector<Tap> &taps) {
  taps.clear();
  for (int r = 0; r < conv.w.h; r++) {
    int h = p * conv.strideH - conv.padH + r * conv.dilationH;
    if (h < 0 || h >= conv.x.h) {
      continue;
    }
    for (int s = 0; s < conv.w.w; s++) {
      int w = q * conv.strideW - conv.padW + s * conv.dilationW;
      if (w >= 0 && w < conv.x.w) {
        taps.push_back({r * conv.w.w + s, h * conv.x.w + w});
      }
    }
  }
}

/** The output columns [begin, end) whose tap s lies inside the image, and the image's column under the first. */
struct Span {
  int begin, end, firstPixel;
};

Span columnsInside(const Convolution &conv, int s) {
  int left = s * conv.dilationW - conv.padW;  // under output column 0
  int begin = left < 0 ? (-left + conv.strideW - 1) / conv.strideW : 0;
  int end = left < conv.x.w ? std::min((conv.x.w - 1 - left) / conv.strideW + 1, conv.y.w) : 0;
  return {begin, end, begin * conv.strideW + left};
}

/** Stores one image of channels-last values. */
template <typename Acc>
void storeImage(const View4 &view, int n, const Acc *values, Blend blend, float *to) {
  for (int h = 0; h < view.h; h++) {
    for (int w = 0; w < view.w; w++) {
      for (int c = 0; c < view.c; c++) {
        blend.store(to + view.at(n, c, h, w), *values++);
      }
    }
  }
}

template <typename Acc>
[[gnu::always_inline]] inline void backwardData(const Convolution &conv, const float *w, const float *dyAnyLayout,
                                                Blend blend, float *dx) {
  Groups groups(conv);
  ChannelsLast dy(conv, conv.y, dyAnyLayout);
  std::vector<double> filter = filterByTap(conv, w, false);
  std::vector<Tap> taps;
  std::vector<Acc> image(static_cast<size_t>(conv.x.h) * conv.x.w * conv.x.c);
  const int rows = conv.y.h;
  const int start = static_cast<int>(conv.turn % groups.cout);  // the output channel that a sum begins with
  for (int n = 0; n < conv.x.n; n++) {
    std::fill(image.begin(), image.end(), Acc(0));
    for (int i = 0; i < rows; i++) {
      int p = (i + conv.turn) % rows;
      for (int q = 0; q < conv.y.w; q++) {
        const float *gradient = dy.pixel(n, static_cast<long>(p) * conv.y.w + q);
        tapsInside(conv, p, q, taps);
        for (const Tap &tap : taps) {
          Acc *pixel = &image[static_cast<long>(tap.pixel) * conv.x.c];
          for (int g = 0; g < groups.count; g++) {
            const double *kernels = &filter[matrix(conv, groups, g, tap)];
            const float *outputs = gradient + g * groups.cout;
            Acc *inputs = pixel + g * groups.cin;
            const double *rest = kernels + static_cast<long>(start) * groups.cin;
            addProduct(inputs, Strided<float>{outputs + start, 1}, Strided<double>{rest, groups.cin},
                       groups.cout - start, groups.cin);
            addProduct(inputs, Strided<float>{outputs, 1}, Strided<double>{kernels, groups.cin}, start, groups.cin);
          }
        }
      }
    }
    storeImage(conv.x, n, image.data(), blend, dx);
  }
}

template <typename Acc>
[[gnu::always_inline]] inline void backwardFilter(const Convolution &conv, const float *xAnyLayout,
                                                  const float *dyAnyLayout, Blend blend, float *dw) {
  Groups groups(conv);
  ChannelsLast x(conv, conv.x, xAnyLayout);
  ChannelsLast dy(conv, conv.y, dyAnyLayout);
  std::vector<Acc> sums(conv.w.elements());  // [group][R][S][C][K]
  const long rows = static_cast<long>(conv.y.n) * conv.y.h;
  for (long i = 0; i < rows; i++) {
    long row = (i + conv.turn) % rows;
    int n = static_cast<int>(row / conv.y.h);
    int p = static_cast<int>(row % conv.y.h);
    for (int r = 0; r < conv.w.h; r++) {
      int h = p * conv.strideH - conv.padH + r * conv.dilationH;
      if (h < 0 || h >= conv.x.h) {
        continue;
      }
      for (int s = 0; s < conv.w.w; s++) {
        Span inside = columnsInside(conv, s);
        if (inside.begin >= inside.end) {
          continue;
        }
        const float *pixels = x.pixel(n, static_cast<long>(h) * conv.x.w + inside.firstPixel);
        const float *gradients = dy.pixel(n, static_cast<long>(p) * conv.y.w + inside.begin);
        for (int g = 0; g < groups.count; g++) {
          Acc *sum = &sums[matrix(conv, groups, g, {r * conv.w.w + s, 0})];
          for (int c = 0; c < groups.cin; c++) {
            addProduct(sum + static_cast<long>(c) * groups.cout,
                       Strided<float>{pixels + g * groups.cin + c, static_cast<long>(conv.strideW) * conv.x.c},
                       Strided<float>{gradients + g * groups.cout, conv.y.c}, inside.end - inside.begin, groups.cout);
          }
        }
      }
    }
  }
  const Acc *next = sums.data();
  for (int g = 0; g < groups.count; g++) {
    for (int r = 0; r < conv.w.h; r++) {
      for (int s = 0; s < conv.w.w; s++) {
        for (int c = 0; c < groups.cin; c++) {
          for (int k = 0; k < groups.cout; k++) {
            long at = conv.w.at(g * groups.cout + k, c, filterRow(conv, r), filterColumn(conv, s));
            blend.store(dw + at, *next++);
          }
        }
      }
    }
  }
}

}  // namespace

SOFTCUDA_FAST void convolutionForward(const Convolution &conv, const float *xAnyLayout, const float *w, Blend blend,
                                      float *y) {
  Groups groups(conv);
  ChannelsLast x(conv, conv.x, xAnyLayout);
  std::vector<double> filter = filterByTap(conv, w, true);
  std::vector<Tap> taps;
  std::vector<double> sums(conv.y.c);
  for (int n = 0; n < conv.y.n; n++) {
    for (int p = 0; p < conv.y.h; p++) {
      for (int q = 0; q < conv.y.w; q++) {
        std::fill(sums.begin(), sums.end(), 0.0);
        tapsInside(conv, p, q, taps);
        for (const Tap &tap : taps) {
          const float *pixel = x.pixel(n, tap.pixel);
          for (int g = 0; g < groups.count; g++) {
            const double *kernels = &filter[matrix(conv, groups, g, tap)];
            addProduct(&sums[g * groups.cout], Strided<float>{pixel + g * groups.cin, 1},
                       Strided<double>{kernels, groups.cout}, groups.cin, groups.cout);
          }
        }
        for (int k = 0; k < conv.y.c; k++) {
          blend.store(y + conv.y.at(n, k, p, q), sums[k]);
        }
      }
    }
  }
}

SOFTCUDA_FAST void convolutionBackwardData(const Convolution &conv, const float *w, const float *dy, Blend blend,
                                           float *dx) {
  if (conv.unordered) {
    backwardData<float>(conv, w, dy, blend, dx);
  } else {
    backwardData<double>(conv, w, dy, blend, dx);
  }
}

SOFTCUDA_FAST void convolutionBackwardFilter(const Convolution &conv, const float *x, const float *dy, Blend blend,
                                             float *dw) {
  if (conv.unordered) {
    backwardFilter<float>(conv, x, dy, blend, dw);
  } else {
    backwardFilter<double>(conv, x, dy, blend, dw);
  }
}

}  // namespace softcuda
