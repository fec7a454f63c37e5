// The random parameters of one image in one epoch: the contract of convtrain.graph.AugmentDraw, in
// doubles, every product and sum rounded on its own (the intrinsics keep the compiler from joining
// them), so that the results are those of the CPU to the bit.
#pragma once

#include "philox.cuh"

/** The ordinal of convtrain.graph.Philox.Purpose.AUGMENT. */
constexpr unsigned int PURPOSE_AUGMENT = 4;

/** The first block of the elastic displacement's noise. */
constexpr unsigned int NOISE_BLOCK = 16;

/** What a uniform number is drawn from. */
struct Range {
  double min, span;
};

/** convtrain.graph.AugmentDraw.constants(). */
struct Augmentation {
  Range angle, tx, ty, scale, shear_x, shear_y;
  double p;
  Range area, log_ratio;
  double padding;
};

/** Output pixel (x, y) shows the frame's (xx x + xy y + x0, yx x + yy y + y0). */
struct Varied {
  float xx, xy, x0, yx, yy, y0;
  /** What is erased. */
  int top, left, rows, columns;
};

__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }

__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }

__device__ __forceinline__ double unit(unsigned int word) { return word * (1 / 4294967296.0); }

__device__ __forceinline__ double uniform(const Range& range, unsigned int word) {
  return plus(range.min, times(range.span, unit(word)));
}

__device__ __forceinline__ int below(int n, unsigned int word) {
  return static_cast<int>(static_cast<unsigned long long>(word) * n >> 32);
}

/** The sine of an angle in degrees. */
__device__ __forceinline__ double sine(double degrees) {
  double quarters = rint(times(degrees, 1 / 90.0));
  double x = times(plus(degrees, -times(90, quarters)), 3.141592653589793 / 180);
  int quadrant = static_cast<int>(quarters) & 3;
  double z = times(x, x);
  double value;
  if ((quadrant & 1) == 0) {
    value = -1 / 1307674368000.0;
    value = plus(times(value, z), 1 / 6227020800.0);
    value = plus(times(value, z), -1 / 39916800.0);
    value = plus(times(value, z), 1 / 362880.0);
    value = plus(times(value, z), -1 / 5040.0);
    value = plus(times(value, z), 1 / 120.0);
    value = plus(times(value, z), -1 / 6.0);
    value = plus(times(value, z), 1);
    value = times(x, value);
  } else {
    value = 1 / 20922789888000.0;
    value = plus(times(value, z), -1 / 87178291200.0);
    value = plus(times(value, z), 1 / 479001600.0);
    value = plus(times(value, z), -1 / 3628800.0);
    value = plus(times(value, z), 1 / 40320.0);
    value = plus(times(value, z), -1 / 720.0);
    value = plus(times(value, z), 1 / 24.0);
    value = plus(times(value, z), -1 / 2.0);
    value = plus(times(value, z), 1);
  }
  return quadrant < 2 ? value : -value;
}

__device__ __forceinline__ double cosine(double degrees) { return sine(plus(degrees, 90)); }

__device__ __forceinline__ double exponential(double x) {
  constexpr double LN2 = 0.6931471805599453;
  double power = rint(times(x, 1 / LN2));
  double rest = plus(x, -times(power, LN2));
  double value = 1 / 479001600.0;
  value = plus(times(value, rest), 1 / 39916800.0);
  value = plus(times(value, rest), 1 / 3628800.0);
  value = plus(times(value, rest), 1 / 362880.0);
  value = plus(times(value, rest), 1 / 40320.0);
  value = plus(times(value, rest), 1 / 5040.0);
  value = plus(times(value, rest), 1 / 720.0);
  value = plus(times(value, rest), 1 / 120.0);
  value = plus(times(value, rest), 1 / 24.0);
  value = plus(times(value, rest), 1 / 6.0);
  value = plus(times(value, rest), 1 / 2.0);
  value = plus(times(value, rest), 1);
  value = plus(times(value, rest), 1);
  return times(value, __longlong_as_double((static_cast<long long>(power) + 1023) << 52));
}

/** Where the draws of one image begin. */
struct Source {
  unsigned long long seed;
  unsigned int sample, epoch;

  __device__ __forceinline__ Words block(unsigned int block) const {
    return philox(seed, block, sample, epoch, PURPOSE_AUGMENT);
  }
};

__device__ __forceinline__ void draw_map(
    const Augmentation& spec, const Source& source, int height, int width, Varied& varied) {
  Words words = source.block(0);
  double r = uniform(spec.angle, words.a);
  double shift_x = rint(uniform(spec.tx, words.b));
  double shift_y = rint(uniform(spec.ty, words.c));
  double s = uniform(spec.scale, words.d);
  words = source.block(1);
  double sx = uniform(spec.shear_x, words.a);
  double sy = uniform(spec.shear_y, words.b);
  int padding = static_cast<int>(spec.padding);
  int column = below(2 * padding + 1, words.c) - padding;
  int row = below(2 * padding + 1, words.d) - padding;

  double cos_sy = cosine(sy);
  double tan_sx = __ddiv_rn(sine(sx), cosine(sx));
  double a = __ddiv_rn(cosine(plus(r, -sy)), cos_sy);
  double c = __ddiv_rn(sine(plus(r, -sy)), cos_sy);
  double b = plus(-times(a, tan_sx), -sine(r));
  double d = plus(-times(c, tan_sx), cosine(r));
  double center_x = times(width - 1, 0.5);
  double center_y = times(height - 1, 0.5);
  double from_x = plus(plus(column, -center_x), -shift_x);
  double from_y = plus(plus(row, -center_y), -shift_y);
  double xx = __ddiv_rn(d, s);
  double xy = __ddiv_rn(-b, s);
  double yx = __ddiv_rn(-c, s);
  double yy = __ddiv_rn(a, s);
  varied.xx = static_cast<float>(xx);
  varied.xy = static_cast<float>(xy);
  varied.x0 =
      static_cast<float>(plus(plus(times(xx, from_x), times(xy, from_y)), plus(center_x, 1)));
  varied.yx = static_cast<float>(yx);
  varied.yy = static_cast<float>(yy);
  varied.y0 =
      static_cast<float>(plus(plus(times(yx, from_x), times(yy, from_y)), plus(center_y, 1)));
}

__device__ __forceinline__ void draw_rectangle(
    const Augmentation& spec, const Source& source, int height, int width, Varied& varied) {
  for (int k = 0; k < 10; k++) {
    Words words = source.block(3 + k);
    double erased = uniform(spec.area, words.a);
    double ratio = exponential(uniform(spec.log_ratio, words.b));
    double h = rint(__dsqrt_rn(times(erased, ratio)));
    double w = rint(__dsqrt_rn(__ddiv_rn(erased, ratio)));
    if (h < height && w < width) {
      varied.rows = static_cast<int>(h);
      varied.columns = static_cast<int>(w);
      varied.top = below(height - varied.rows + 1, words.c);
      varied.left = below(width - varied.columns + 1, words.d);
      return;
    }
  }
}

/** What becomes of an image. */
__device__ __forceinline__ Varied draw(
    const Augmentation& spec, const Source& source, int height, int width) {
  Varied varied{};
  draw_map(spec, source, height, width, varied);
  if (spec.p > 0 && unit(source.block(2).a) < spec.p) {
    draw_rectangle(spec, source, height, width, varied);
  }
  return varied;
}
