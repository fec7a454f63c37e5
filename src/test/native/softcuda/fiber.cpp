// The context switch: callee-saved registers on the old stack, then the other stack pointer.
#include "fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdint>

#include "sanitizer.h"
#include "softcuda.h"

#ifndef __x86_64__
#error "the software device switches stacks with x86-64 instructions"
#endif

extern "C" void softcuda_switch(void **save, void *load);

asm(R"(
.text
.hidden softcuda_switch
.globl softcuda_switch
.type softcuda_switch, @function
softcuda_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size softcuda_switch, .-softcuda_switch
)");

namespace softcuda {
namespace {

constexpr size_t guardBytes = 4096;
constexpr size_t stackBytes = sanitized ? 256 * 1024 : 128 * 1024;
constexpr int savedRegisters = 6;

}  // namespace

FiberStack StackPool::take() {
  if (!free_.empty()) {
    FiberStack stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void *memory = mmap(nullptr, guardBytes + stackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) die("no memory for the stacks of a block's threads");
  mprotect(memory, guardBytes, PROT_NONE);
  return {static_cast<unsigned char *>(memory) + guardBytes, stackBytes};
}

void prepare(Fiber &fiber, FiberStack stack, void (*entry)()) {
  fiber.stack = stack;
  cleanShadow(stack.low, stack.bytes);  // of the functions that its last fiber never returned from
  fiber.sanitizerState = nullptr;
  auto **top = reinterpret_cast<void **>(stack.low + stack.bytes);
  *--top = nullptr;  // an entry function finds its stack as after a call: 8 bytes off a multiple of 16
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < savedRegisters; i++) *--top = nullptr;
  fiber.stackPointer = top;
}

#ifdef __SANITIZE_ADDRESS__

void switchTo(Fiber &from, Fiber &to) {
  __sanitizer_start_switch_fiber(&from.sanitizerState, to.stack.low, to.stack.bytes);
  softcuda_switch(&from.stackPointer, to.stackPointer);
  __sanitizer_finish_switch_fiber(from.sanitizerState, nullptr, nullptr);
}

void fiberBegins(Fiber &, Fiber &) { __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr); }

void lastSwitch(Fiber &to) {
  void *discarded;
  __sanitizer_start_switch_fiber(nullptr, to.stack.low, to.stack.bytes);
  softcuda_switch(&discarded, to.stackPointer);
}

#else

void switchTo(Fiber &from, Fiber &to) { softcuda_switch(&from.stackPointer, to.stackPointer); }

void fiberBegins(Fiber &, Fiber &) {}

void lastSwitch(Fiber &to) {
  void *discarded;
  softcuda_switch(&discarded, to.stackPointer);
}

#endif

void adoptThread(Fiber &self) {
  pthread_attr_t attributes;
  void *low = nullptr;
  size_t bytes = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &bytes);
  pthread_attr_destroy(&attributes);
  self.stack = {static_cast<unsigned char *>(low), bytes};
}

}  // namespace softcuda
