// The scheduler: work runs when somebody needs its result, in a drawn order among those the dependencies allow.
#include "work.h"

#include <algorithm>

#include "control.h"
#include "memory.h"
#include "report.h"
#include "status.h"

namespace softcuda {
namespace {

constexpr uint64_t nanosPerItem = 1000;

}  // namespace

Fault::Fault(const std::string &message) : std::runtime_error(message) {}
Fault::~Fault() = default;

ItemPtr Scheduler::submit(const char *call, Work work, const std::vector<ItemPtr> &before) {
  auto item = std::make_shared<Item>();
  item->call = call;
  item->work = std::move(work);
  for (const ItemPtr &other : before) {
    if (other == nullptr || other->done) continue;
    other->after.push_back(item.get());
    item->before.push_back(other);
    item->waitsFor++;
  }
  pending_[item.get()] = {item, serial_++};
  if (item->waitsFor == 0) ready_.push_back(item.get());
  return item;
}

void Scheduler::markNeeded(const ItemPtr &target) {
  std::vector<Item *> open = {target.get()};
  while (!open.empty()) {
    Item *item = open.back();
    open.pop_back();
    if (item->done || item->needed) continue;
    item->needed = true;
    for (const ItemPtr &other : item->before) open.push_back(other.get());
  }
}

/** A needed item, most of the time; without a target, or once in a while by the seed, any. */
Item *Scheduler::choose(const ItemPtr &target) {
  bool any = target == nullptr || (!settings().alwaysLate && draw(8) == 0);
  size_t start = draw(ready_.size());
  for (size_t i = 0; i < ready_.size(); i++) {
    Item *candidate = ready_[(start + i) % ready_.size()];
    if (any || candidate->needed) return candidate;
  }
  die(std::string("no work is ready, yet ") + target->call + " is not done");
}

void Scheduler::run(Item *item) {
  if (item->work == nullptr) return;
  executed_++;
  int status = 0;
  try {
    if (injected("execution", &status)) {
      log(std::string("injected status ") + std::to_string(status) + " while executing " + item->call);
      fail(status);
      return;
    }
    (*item->work)();
    std::string damage = deviceMemory().damage();
    if (!damage.empty()) throw Fault(damage);
  } catch (const FaultWithStatus &fault) {
    violation(std::string(item->call) + ": " + fault.what());
    fail(fault.status);
  } catch (const Fault &fault) {
    violation(std::string(item->call) + ": " + fault.what());
    fail(IllegalAddress);
  }
}

void Scheduler::complete(Item *item) {
  clock_ += item->work == nullptr ? 0 : nanosPerItem;
  item->clock = clock_;
  item->done = true;
  item->before.clear();
  for (Item *other : item->after) {
    if (--other->waitsFor == 0) ready_.push_back(other);
  }
  item->after.clear();
  pending_.erase(item);
}

void Scheduler::runOnExecutor(const ItemPtr &target, bool onlyOne) {
  if (target != nullptr) markNeeded(target);
  onExecutor([&] {
    while (sticky_ == 0 && (target == nullptr ? !pending_.empty() : !target->done)) {
      Item *item = choose(target);
      ready_.erase(std::find(ready_.begin(), ready_.end(), item));
      run(item);
      if (sticky_ == 0) complete(item);
      if (onlyOne) break;
    }
    deviceMemory().closeAll();
  });
}

int Scheduler::finish(const ItemPtr &target) {
  bool idle = target == nullptr ? pending_.empty() : target->done;
  if (sticky_ == 0 && !idle) runOnExecutor(target, false);
  return sticky_;
}

int Scheduler::step(const ItemPtr &target) {
  if (sticky_ == 0 && target != nullptr && !target->done) runOnExecutor(target, true);
  return sticky_;
}

void Scheduler::fail(int status) {
  if (sticky_ != 0) return;
  sticky_ = status;
}

const char *Scheduler::pendingCall() const {
  if (sticky_ != 0) return nullptr;
  const std::pair<ItemPtr, long> *oldest = nullptr;
  for (const auto &[item, entry] : pending_) {
    if (item->work != nullptr && (oldest == nullptr || entry.second < oldest->second)) oldest = &entry;
  }
  return oldest == nullptr ? nullptr : oldest->first->call;
}

void Scheduler::reset() {
  for (auto &[item, entry] : pending_) {
    item->before.clear();
    item->after.clear();
    item->done = true;
  }
  pending_.clear();
  ready_.clear();
  sticky_ = 0;
  clock_ = 0;
  executed_ = 0;
}

Scheduler &scheduler() {
  static auto *instance = new Scheduler();
  return *instance;
}

}  // namespace softcuda
