// How the math loops see memory: a 4-D tensor or filter as dimensions and strides in elements.
//
// Layout never matters to a loop: NCHW, NHWC, a slice of either and KRSC filters all become four
// dimensions (n, c, h, w; of a filter k, c, r, s) with a stride each. Nor does the element type: an
// Operand turns 16-bit values into floats before a loop and back after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace softcuda {

enum class Element { F32, F64, F16, BF16 };

inline size_t elementBytes(Element type) {
  return type == Element::F64 ? 8 : type == Element::F32 ? 4 : 2;
}

struct View4 {
  int n = 0, c = 0, h = 0, w = 0;
  long sn = 0, sc = 0, sh = 0, sw = 0;
  Element type = Element::F32;

  long at(long in, long ic, long ih, long iw) const { return in * sn + ic * sc + ih * sh + iw * sw; }
  long elements() const { return static_cast<long>(n) * c * h * w; }

  /** Elements from the first to one past the last, gaps included. */
  long extent() const { return at(n - 1, c - 1, h - 1, w - 1) + 1; }

  bool sameDims(const View4 &o) const { return n == o.n && c == o.c && h == o.h && w == o.w; }
  bool sameStrides(const View4 &o) const { return sn == o.sn && sc == o.sc && sh == o.sh && sw == o.sw; }

  /** Channels adjacent and no gaps: what cuDNN's NHWC kernels need. */
  bool packedNhwc() const {
    return (sc == 1 || c == 1) && (sw == c || w == 1) && (sh == static_cast<long>(w) * c || h == 1) &&
           (sn == static_cast<long>(h) * w * c || n == 1);
  }
};

/** result = alpha * value + beta * old; with beta 0 the old content, which may be NaN, is not read. */
struct Blend {
  double alpha = 1;
  double beta = 0;

  void store(float *to, double value) const {
    *to = static_cast<float>(beta == 0 ? alpha * value : alpha * value + beta * *to);
  }
};

/** The nearest TF32 value (10 bits of mantissa, ties away from zero); infinities and NaN stay. */
inline float roundToTf32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) {
    bits = (bits + 0x1000u) & ~0x1fffu;
  }
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

}  // namespace softcuda
