// Runs a kernel: block after block, each block's threads as fibers that meet at barriers and in warp functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/abi.h"

namespace softcuda {

struct Dimensions {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

struct KernelRun {
  const SoftcudaModule *module;
  const SoftcudaKernel *kernel;
  Dimensions grid;
  Dimensions block;
  unsigned sharedBytes;
  void **parameters;
};

/** Runs all blocks; throws FaultWithStatus. Only on the executor thread. */
void runKernel(const KernelRun &run);

/** "kernel sum, block (0, 0, 0), thread (1, 0, 0)": what runs now, or ran last. */
std::string placeInKernel();

/** Gives the calling thread a stack for signals and catches faults of kernels on it; once per thread. */
void useSignalStack();

/** A drawn order of 0..count-1: start + i * step, without repeats. */
class Order {
 public:
  explicit Order(uint64_t count);
  uint64_t operator[](uint64_t i) const { return (start_ + i % count_ * step_) % count_; }

 private:
  uint64_t count_;
  uint64_t start_;
  uint64_t step_;
};

}  // namespace softcuda
