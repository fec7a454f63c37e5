// Stacks and switches: each thread of a block is a fiber on the executor thread.
#pragma once

#include <cstddef>
#include <vector>

namespace softcuda {

/** A stack with a guard page below it. */
struct FiberStack {
  unsigned char *low;
  size_t bytes;
};

/** Stacks for reuse, the last returned first: its pages are warm. */
class StackPool {
 public:
  FiberStack take();
  void give(FiberStack stack) { free_.push_back(stack); }

 private:
  std::vector<FiberStack> free_;
};

/** Where a suspended fiber goes on. */
struct Fiber {
  void *stackPointer = nullptr;
  FiberStack stack = {nullptr, 0};
  void *sanitizerState = nullptr;
};

/** Makes `fiber` begin with entry() when it is first switched to; entry must not return. */
void prepare(Fiber &fiber, FiberStack stack, void (*entry)());

/** Suspends `from` and goes on with `to`. */
void switchTo(Fiber &from, Fiber &to);

/** First thing in an entry function, and last before a fiber's final switch: AddressSanitizer wants to know. */
void fiberBegins(Fiber &self, Fiber &owner);
void lastSwitch(Fiber &to);

/** Learns the calling thread's own stack, so that fibers can switch back to it. */
void adoptThread(Fiber &self);

}  // namespace softcuda
