// Operands, and the conversions between 16-bit values and floats.
#include "operand.h"

#include <cmath>

namespace softcuda {
namespace {

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float widenHalf(uint16_t half) {
  float sign = (half & 0x8000u) != 0 ? -1.0f : 1.0f;
  int exponent = (half >> 10) & 0x1f;
  float mantissa = static_cast<float>(half & 0x3ffu);
  if (exponent == 0x1f) {
    return mantissa != 0 ? fromBits(0x7fc00000u) : sign * fromBits(0x7f800000u);
  }
  return exponent == 0 ? sign * std::ldexp(mantissa, -24) : sign * std::ldexp(mantissa + 1024, exponent - 25);
}

/** To the nearest, ties to even; beyond 65504 plus half a step to infinity. */
uint16_t narrowHalf(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000u : 0;
  float magnitude = std::fabs(value);
  if (std::isnan(value)) {
    return 0x7fffu;
  }
  if (magnitude >= 65520.0f) {
    return sign | 0x7c00u;
  }
  int exponent = magnitude < 0x1p-14f ? -14 : std::ilogb(magnitude);
  // Steps of the mantissa's last place; nearbyint rounds ties to even.
  auto steps = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return sign | static_cast<uint16_t>(steps + (static_cast<uint32_t>(exponent + 14) << 10));
}

float widenBfloat(uint16_t value) { return fromBits(static_cast<uint32_t>(value) << 16); }

uint16_t narrowBfloat(float value) {
  uint32_t bits = toBits(value);
  if (std::isnan(value)) {
    return 0x7fffu;
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

std::vector<float> widen(const void *memory, Element type, size_t count) {
  std::vector<float> values(count);
  const auto *from = static_cast<const uint16_t *>(memory);
  for (size_t i = 0; i < count; i++) {
    values[i] = type == Element::F16 ? widenHalf(from[i]) : widenBfloat(from[i]);
  }
  return values;
}

bool stored(Element type) { return type == Element::F16 || type == Element::BF16; }

}  // namespace

Input::Input(const void *memory, Element type, size_t count) : data_(static_cast<const float *>(memory)) {
  if (stored(type)) {
    widened_ = widen(memory, type, count);
    data_ = widened_.data();
  }
}

Output::Output(void *memory, Element type, size_t count)
    : memory_(memory), type_(type), data_(static_cast<float *>(memory)) {
  if (stored(type)) {
    widened_ = widen(memory, type, count);
    data_ = widened_.data();
  }
}

Output::~Output() {
  auto *to = static_cast<uint16_t *>(memory_);
  for (size_t i = 0; i < widened_.size(); i++) {
    to[i] = type_ == Element::F16 ? narrowHalf(widened_[i]) : narrowBfloat(widened_[i]);
  }
}

Operand::Operand(const char *call, const char *name, const void *address, Element type, size_t count)
    : what(std::string(call) + " " + name),
      address(address),
      type(type),
      count(count),
      bytes(count * elementBytes(type)) {
  if (address == nullptr) {
    throw BadOperand{what + " is null"};
  }
  if (reinterpret_cast<uintptr_t>(address) % elementBytes(type) != 0) {
    throw BadOperand{what + " is misaligned at " + hex(address)};
  }
}

Operand Operand::scratch(const char *call, const char *name, const void *address, size_t bytes) {
  Operand operand(call, name, address, Element::F32, bytes / sizeof(float));
  operand.bytes = bytes;
  return operand;
}

bool Operand::overlaps(const Operand &other) const {
  uintptr_t start = reinterpret_cast<uintptr_t>(address);
  uintptr_t otherStart = reinterpret_cast<uintptr_t>(other.address);
  return start < otherStart + other.bytes && otherStart < start + bytes;
}

const Operand *overlapping(const Operand &operand, const std::vector<Operand> &others) {
  for (const Operand &other : others) {
    if (operand.overlaps(other)) {
      return &other;
    }
  }
  return nullptr;
}

const float *hostScalar(const char *call, const void *pointer) {
  if (pointer == nullptr || !onDevice(pointer, 0)) return static_cast<const float *>(pointer);
  violation(std::string(call) + ": the host would read its scaling factor at " + hex(pointer) + ", device memory");
  return nullptr;
}

void scribble(const Operand &memory) {
  std::memset(device(memory.address, memory.bytes, Access::Write, memory.what), 0xFF, memory.bytes);
}

void spendBytes(size_t bytes) { spend(1500 + bytes / 2000); }

}  // namespace softcuda
