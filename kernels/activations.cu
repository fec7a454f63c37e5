// y = f(x) for each element, and dx = f'(x) dy.
//
//   relu         max(x, 0)                          slope told from y
//   leaky_relu   x if x > 0, else alpha x           slope told from y, or from x where alpha < 0
//   sigmoid      1 / (1 + exp(-x))                  slope y (1 - y)
//   tanh         tanh(x)                            slope 1 - y^2
//   silu         x sigmoid(x)                       slope told from x, as for both below
//   gelu         x Phi(x), Phi by the error function
//   gelu_tanh    x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
//
// x, y, dx, dy any shape of packs * WIDTH elements; y may be x, dx may be dy. `source` is y or x as
// the table says.
// Geometry: one thread per pack. Bytes: forward reads x, writes y; backward reads source and dy,
// writes dx.
// Reference: convtrain.testing.ReferenceActivation, and PyTorch's golden values.
#include "element.cuh"

__device__ __forceinline__ float logistic(float x) { return 1 / (1 + expf(-x)); }

struct Relu {
  static __device__ __forceinline__ float value(float x, float) { return x < 0 ? 0 : x; }
  static __device__ __forceinline__ float pull(float y, float dy, float) { return y > 0 ? dy : 0; }
};

struct LeakyRelu {
  static __device__ __forceinline__ float value(float x, float alpha) {
    return x > 0 ? x : alpha * x;
  }
  static __device__ __forceinline__ float pull(float source, float dy, float alpha) {
    return source > 0 ? dy : alpha * dy;
  }
};

struct Sigmoid {
  static __device__ __forceinline__ float value(float x, float) { return logistic(x); }
  static __device__ __forceinline__ float pull(float y, float dy, float) {
    return dy * y * (1 - y);
  }
};

struct Tanh {
  static __device__ __forceinline__ float value(float x, float) { return tanhf(x); }
  static __device__ __forceinline__ float pull(float y, float dy, float) {
    return dy * (1 - y) * (1 + y);
  }
};

struct Silu {
  static __device__ __forceinline__ float value(float x, float) { return x * logistic(x); }
  static __device__ __forceinline__ float pull(float x, float dy, float) {
    float s = logistic(x);
    return dy * s * (1 + x * (1 - s));
  }
};

struct Gelu {
  static __device__ __forceinline__ float phi(float x) {
    return 0.5f * erfcf(-0.70710678118654752f * x);
  }
  static __device__ __forceinline__ float value(float x, float) { return x * phi(x); }
  static __device__ __forceinline__ float pull(float x, float dy, float) {
    float density = 0.39894228040143268f * expf(-0.5f * x * x);
    return dy * (phi(x) + x * density);
  }
};

struct GeluTanh {
  static constexpr float ROOT = 0.79788456080286536f;  // sqrt(2 / pi)
  static constexpr float CUBE = 0.044715f;

  static __device__ __forceinline__ float bend(float x) {
    return tanhf(ROOT * (x + CUBE * x * x * x));
  }
  static __device__ __forceinline__ float value(float x, float) {
    return 0.5f * x * (1 + bend(x));
  }
  static __device__ __forceinline__ float pull(float x, float dy, float) {
    float t = bend(x);
    float inner = ROOT * (1 + 3 * CUBE * x * x);
    return dy * (0.5f * (1 + t) + 0.5f * x * (1 - t) * (1 + t) * inner);
  }
};

template <typename F>
__device__ __forceinline__ void apply(
    const element* x, element* y, long long packs, float alpha) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  float values[WIDTH];
  load(x + at, values);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    values[i] = F::value(values[i], alpha);
  }
  store(y + at, values);
}

template <typename F>
__device__ __forceinline__ void apply_slope(
    const element* source, const element* dy, element* dx, long long packs, float alpha) {
  long long at = global_thread() * WIDTH;
  if (at >= packs * WIDTH) {
    return;
  }
  float values[WIDTH];
  float gradients[WIDTH];
  load(source + at, values);
  load(dy + at, gradients);
#pragma unroll
  for (int i = 0; i < WIDTH; i++) {
    gradients[i] = F::pull(values[i], gradients[i], alpha);
  }
  store(dx + at, gradients);
}

#define ACTIVATION(name, F)                                                                   \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_forward(                       \
      const element* x, element* y, long long packs, float alpha) {                           \
    apply<F>(x, y, packs, alpha);                                                             \
  }                                                                                           \
  extern "C" __global__ void __launch_bounds__(THREADS) name##_backward(                      \
      const element* source, const element* dy, element* dx, long long packs, float alpha) {  \
    apply_slope<F>(source, dy, dx, packs, alpha);                                             \
  }

ACTIVATION(relu, Relu)
ACTIVATION(leaky_relu, LeakyRelu)
ACTIVATION(sigmoid, Sigmoid)
ACTIVATION(tanh, Tanh)
ACTIVATION(silu, Silu)
ACTIVATION(gelu, Gelu)
ACTIVATION(gelu_tanh, GeluTanh)
