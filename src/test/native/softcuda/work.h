// Enqueued work and its order. An Item waits for the items it depends on; nothing else orders work.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "softcuda.h"

namespace softcuda {

struct Item;
using ItemPtr = std::shared_ptr<Item>;
using Work = std::shared_ptr<const std::function<void()>>;

struct Item {
  const char *call;
  Work work;  // null: only orders
  std::vector<ItemPtr> before;  // emptied when done, so that no chain of finished work is kept
  std::vector<Item *> after;
  int waitsFor = 0;
  bool done = false;
  bool needed = false;
  uint64_t clock = 0;  // fake nanoseconds at its end
};

class Scheduler {
 public:
  ItemPtr submit(const char *call, Work work, const std::vector<ItemPtr> &before);

  /** Runs until the item is done; null means all work. Returns the sticky error, 0 if there is none. */
  int finish(const ItemPtr &target);

  /** Runs one piece of work that the item waits for, or the item itself. */
  int step(const ItemPtr &target);

  /** Makes the first error sticky: all pending work counts as done and nothing runs from then on. */
  void fail(int status);

  int sticky() const { return sticky_; }
  long pending() const { return static_cast<long>(pending_.size()); }

  /** The oldest pending call that does something, or null; after an error nothing is pending. */
  const char *pendingCall() const;

  /** Forgets work and error: the context is gone. */
  void reset();

  void spend(uint64_t nanos) { clock_ += nanos; }
  long executed() const { return executed_; }

 private:
  void markNeeded(const ItemPtr &target);
  Item *choose(const ItemPtr &target);
  void runOnExecutor(const ItemPtr &target, bool onlyOne);
  void run(Item *item);
  void complete(Item *item);

  std::unordered_map<Item *, std::pair<ItemPtr, long>> pending_;
  std::vector<Item *> ready_;
  uint64_t clock_ = 0;
  long serial_ = 0;
  long executed_ = 0;
  int sticky_ = 0;
};

Scheduler &scheduler();

/** A fault with the status that it leaves behind; plain Faults leave CUDA_ERROR_ILLEGAL_ADDRESS. */
class FaultWithStatus : public Fault {
 public:
  FaultWithStatus(int status, const std::string &message) : Fault(message), status(status) {}
  const int status;
};

/** Runs a job on the executor thread and waits for it; the thread has no JVM state and a signal stack of its own. */
void onExecutor(const std::function<void()> &job);

/** Whether the calling thread is the executor: only there is device memory accessible. */
bool isExecutor();

}  // namespace softcuda
