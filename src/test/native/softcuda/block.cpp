// Blocks, barriers and what goes wrong at them.
//
// All blocks run one after another in a drawn order. Within a block, threads run until they wait; whoever may go on does
// so in a newly drawn order, so what one thread reads of another without a barrier between is right only by luck.
#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "fault.h"
#include "fiber.h"
#include "memory.h"
#include "sanitizer.h"
#include "status.h"
#include "warp.h"
#include "work.h"

namespace softcuda {
namespace {

enum class State : uint8_t { Fresh, Ready, AtBarrier, InWarp, Done };

struct Thread {
  Fiber fiber;
  State state = State::Fresh;
  SoftcudaIndex index = {0, 0, 0};
  const Meeting *meeting = nullptr;
};

struct Barrier {
  unsigned waiting = 0;
  const char *what = nullptr;
  int line = 0;
  int holding = 0;
  int result = 0;
};

struct Block {
  Fiber owner;
  StackPool stacks;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Barrier barrier;
  const KernelRun *run = nullptr;
  uint64_t number = 0;
  unsigned count = 0;
  unsigned done = 0;
  unsigned current = 0;
  int faultStatus = 0;
  std::string fault;
};

auto &block = *new Block();  // never destroyed: the executor may run while the process ends

uint64_t gcd(uint64_t a, uint64_t b) {
  while (b != 0) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

std::string text(const SoftcudaIndex &index) {
  return "(" + std::to_string(index.x) + ", " + std::to_string(index.y) + ", " + std::to_string(index.z) + ")";
}

std::string at(const char *what, int line) { return std::string(what) + " (line " + std::to_string(line) + ")"; }

Thread &self() { return block.threads[block.current]; }

/** Ends the block from inside a fiber: its owner takes over and no fiber of the block runs again. */
[[noreturn]] void abandon(int status, const std::string &message) {
  block.fault = placeInKernel() + ": " + message;
  block.faultStatus = status;
  lastSwitch(block.owner);
  __builtin_unreachable();
}

void wait(State state) {
  Thread &thread = self();
  thread.state = state;
  switchTo(thread.fiber, block.owner);
}

int barrierHost(const char *what, int line, int predicate) {
  Barrier &barrier = block.barrier;
  if (block.done > 0) {
    abandon(LaunchFailed, "waits at " + at(what, line) + " that other threads of the block can no longer reach: " +
                              std::to_string(block.done) + " have returned");
  }
  if (barrier.waiting == 0) {
    barrier.what = what;
    barrier.line = line;
    barrier.holding = 0;
  } else if (barrier.line != line || std::strcmp(barrier.what, what) != 0) {
    abandon(LaunchFailed, "waits at " + at(what, line) + " while others wait at " + at(barrier.what, barrier.line));
  }
  barrier.holding += predicate;
  if (++barrier.waiting < block.count) {
    wait(State::AtBarrier);
    return barrier.result;
  }
  barrier.waiting = 0;
  barrier.result = barrier.holding;
  for (unsigned i = 0; i < block.count; i++) block.threads[i].state = State::Ready;
  wait(State::Ready);  // so that the last to arrive is not always the first to go on
  return barrier.result;
}

void wake(const Meeting &meeting, unsigned warp) {
  for (unsigned i = warp * 32; i < block.count && i < warp * 32 + 32; i++) {
    Thread &thread = block.threads[i];
    if (thread.state == State::InWarp && thread.meeting == &meeting) thread.state = State::Ready;
  }
}

const SoftcudaLanes *exchangeHost(const char *what, int line, unsigned mask, unsigned long long value) {
  unsigned lane = block.current % 32;
  Warp &warp = block.warps[block.current / 32];
  if ((mask >> lane & 1) == 0) {
    abandon(LaunchFailed, "calls " + at(what, line) + " with a mask that does not name its own lane");
  }
  Meeting &meeting = warp.meeting(mask);
  if (meeting.arrived != 0 && (meeting.line != line || std::strcmp(meeting.what, what) != 0)) {
    abandon(LaunchFailed,
            "is in " + at(what, line) + " while lanes of the same mask are in " + at(meeting.what, meeting.line));
  }
  meeting.what = what;
  meeting.line = line;
  meeting.given[lane] = value;
  meeting.arrived |= 1u << lane;
  if (meeting.complete(warp.live)) {
    wake(meeting, block.current / 32);
  } else {
    self().meeting = &meeting;
    wait(State::InWarp);
  }
  return &meeting.result;
}

int laneHost() { return static_cast<int>(block.current % 32); }

unsigned liveLanesHost() { return block.warps[block.current / 32].live; }

unsigned long long clockHost() {
  static unsigned long long ticks = 0;
  return ++ticks;
}

void failHost(const char *message, int line) { abandon(LaunchFailed, at(message, line)); }

const SoftcudaHost host = {barrierHost, exchangeHost, laneHost, liveLanesHost, clockHost, failHost};

void finishThread() {
  self().state = State::Done;
  block.done++;
  if (block.barrier.waiting > 0) {
    abandon(LaunchFailed, "has returned while " + std::to_string(block.barrier.waiting) + " threads wait at " +
                              at(block.barrier.what, block.barrier.line));
  }
  Warp &warp = block.warps[block.current / 32];
  warp.live &= ~(1u << block.current % 32);
  for (auto &meeting : warp.meetings) {
    if (meeting->complete(warp.live)) wake(*meeting, block.current / 32);
  }
}

void threadEntry() {
  fiberBegins(self().fiber, block.owner);
  block.run->kernel->run(block.run->parameters);
  finishThread();
  lastSwitch(block.owner);
}

void go(unsigned number) {
  Thread &thread = block.threads[number];
  block.current = number;
  *block.run->module->threadIdx = thread.index;
  if (thread.state == State::Fresh) {
    prepare(thread.fiber, block.stacks.take(), threadEntry);
    thread.state = State::Ready;
  }
  switchTo(block.owner, thread.fiber);
  if (thread.state == State::Done) {
    block.stacks.give(thread.fiber.stack);
    thread.fiber.stack.low = nullptr;
  }
}

std::string stuck() {
  std::string message = "its threads wait for each other:";
  if (block.barrier.waiting > 0) {
    message += " " + std::to_string(block.barrier.waiting) + " at " + at(block.barrier.what, block.barrier.line);
  }
  for (const Thread &thread : block.threads) {
    if (thread.state != State::InWarp) continue;
    message += "; " + text(thread.index) + " in " + at(thread.meeting->what, thread.meeting->line) + " for lanes " +
               hex(reinterpret_cast<void *>(static_cast<uintptr_t>(thread.meeting->mask)));
    break;
  }
  return message;
}

/** Runs the block's threads to their end; returns false at a fault, which is then in block.fault. */
bool runThreads() {
  while (block.done < block.count) {
    bool progress = false;
    Order order(block.count);
    for (unsigned i = 0; i < block.count; i++) {
      auto number = static_cast<unsigned>(order[i]);
      if (block.threads[number].state > State::Ready) continue;
      progress = true;
      go(number);
      if (block.faultStatus != 0) return false;
    }
    if (progress) continue;
    block.fault = placeInKernel() + ": " + stuck();
    block.faultStatus = LaunchFailed;
    return false;
  }
  return true;
}

/** Dynamic shared memory, flush (to 16 bytes) against a page that cannot be touched. */
class DynamicShared {
 public:
  static constexpr unsigned mostBytes = 64 * 1024;

  DynamicShared() {
    void *memory = mmap(nullptr, mostBytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("no memory for dynamic shared memory");
    end_ = static_cast<unsigned char *>(memory) + mostBytes;
    mprotect(end_, 4096, PROT_NONE);
  }

  unsigned char *begin(unsigned bytes) const { return end_ - (bytes + 15) / 16 * 16; }
  unsigned char *end() const { return end_; }

 private:
  unsigned char *end_;
};

/** Static shared memory has AddressSanitizer's red zones between its variables, which memset would report. */
__attribute__((no_sanitize("address"))) void fill(unsigned char *from, unsigned char *to) {
  if (!sanitized) {
    std::memset(from, 0xFF, static_cast<size_t>(to - from));
    return;
  }
  for (; from < to; from++) *static_cast<volatile unsigned char *>(from) = 0xFF;
}

void beginBlock(const DynamicShared &shared) {
  const KernelRun &run = *block.run;
  auto number = block.number;
  *run.module->blockIdx = {static_cast<unsigned>(number % run.grid.x),
                           static_cast<unsigned>(number / run.grid.x % run.grid.y),
                           static_cast<unsigned>(number / run.grid.x / run.grid.y)};
  fill(run.module->sharedBegin, run.module->sharedEnd);
  fill(shared.begin(run.sharedBytes), shared.end());
  block.done = 0;
  block.barrier = Barrier();
  for (unsigned i = 0; i < block.count; i++) block.threads[i].state = State::Fresh;
  for (unsigned i = 0; i < block.warps.size(); i++) {
    unsigned lanes = std::min(32u, block.count - i * 32);
    block.warps[i].reset(lanes == 32 ? 0xFFFFFFFFu : (1u << lanes) - 1);
  }
}

void beginKernel(const KernelRun &run, const DynamicShared &shared) {
  block.run = &run;
  block.count = static_cast<unsigned>(run.block.count());
  block.faultStatus = 0;
  block.fault.clear();
  block.threads.resize(block.count);
  block.warps.clear();
  block.warps.resize((block.count + 31) / 32);
  for (unsigned i = 0; i < block.count; i++) {
    block.threads[i].index = {i % run.block.x, i / run.block.x % run.block.y, i / run.block.x / run.block.y};
  }
  *run.module->host = &host;
  *run.module->dynamicShared = shared.begin(run.sharedBytes);
  *run.module->blockDim = {run.block.x, run.block.y, run.block.z};
  *run.module->gridDim = {run.grid.x, run.grid.y, run.grid.z};
}

/** Stacks of threads that will not go on. */
void reclaimStacks() {
  for (Thread &thread : block.threads) {
    if (thread.fiber.stack.low != nullptr) block.stacks.give(thread.fiber.stack);
    thread.fiber.stack.low = nullptr;
    thread.state = State::Fresh;
  }
}

void runBlocks(const DynamicShared &shared) {
  Order order(block.run->grid.count());
  for (uint64_t i = 0; i < block.run->grid.count(); i++) {
    block.number = order[i];
    beginBlock(shared);
    if (!runThreads()) return;
  }
}

}  // namespace

std::string placeInKernel() {
  return "kernel " + std::string(block.run->kernel->name) + ", block " + text(*block.run->module->blockIdx) +
         ", thread " + text(block.threads[block.current].index);
}

Order::Order(uint64_t count) : count_(count), start_(draw(count)), step_(1) {
  if (count < 3) return;
  do {
    step_ = 1 + draw(count - 1);
  } while (gcd(step_, count) != 1);
}

void runKernel(const KernelRun &run) {
  static DynamicShared shared;
  adoptThread(block.owner);
  beginKernel(run, shared);
  std::string fault;
  int status = catchFault([] { runBlocks(shared); }, fault);
  if (status != 0) {
    block.faultStatus = status;
    block.fault = placeInKernel() + ": " + fault;
  }
  reclaimStacks();
  if (block.faultStatus != 0) throw FaultWithStatus(block.faultStatus, block.fault);
}

}  // namespace softcuda
