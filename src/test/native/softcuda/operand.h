// Device memory that a library call names, and its values as floats inside enqueued work.
#pragma once

#include <string>
#include <vector>

#include "softcuda.h"
#include "tensor_view.h"

namespace softcuda {

/** Thrown by an operand that no call can take: null or misaligned. */
struct BadOperand {
  std::string reason;
};

/** An operand's values: the memory itself, or where it holds 16-bit values a copy as floats. */
class Input {
 public:
  Input(const void *memory, Element type, size_t count);
  operator const float *() const { return data_; }

 private:
  std::vector<float> widened_;
  const float *data_;
};

/** The same of memory to write: a copy goes back when the object ends. */
class Output {
 public:
  Output(void *memory, Element type, size_t count);
  ~Output();
  Output(const Output &) = delete;
  Output &operator=(const Output &) = delete;
  operator float *() { return data_; }

 private:
  void *memory_;
  Element type_;
  std::vector<float> widened_;
  float *data_;
};

struct Operand {
  std::string what;  // "cudnnAddTensor A"
  const void *address;
  Element type;
  size_t count;  // elements
  size_t bytes;

  /** @param count elements from the first to the last, gaps included */
  Operand(const char *call, const char *name, const void *address, Element type, size_t count);
  Operand(const char *call, const char *name, const void *address, const View4 &view)
      : Operand(call, name, address, view.type, view.extent()) {}
  /** Memory without a type: a workspace. */
  static Operand scratch(const char *call, const char *name, const void *address, size_t bytes);

  /** The values, for enqueued work. */
  Input read() const { return Input(device(address, bytes, Access::Read, what), type, count); }

  /** Memory to store into through `blend`, which reads it first where beta is not 0. */
  Output blended(const Blend &blend) const {
    return Output(device(address, bytes, blend.beta == 0 ? Access::Write : Access::ReadWrite, what), type, count);
  }

  bool overlaps(const Operand &other) const;
};

/** The first of the others that shares memory with an operand, or null. */
const Operand *overlapping(const Operand &operand, const std::vector<Operand> &others);

/** A scaling factor, which a library reads from host memory at the call; null if it is not there. */
const float *hostScalar(const char *call, const void *pointer);

/** Fills memory with NaN bytes: scratch that nobody may rely on. */
void scribble(const Operand &memory);

/** Pretends that work took device time: a launch, and the bytes at 2 TB/s. */
void spendBytes(size_t bytes);

}  // namespace softcuda
