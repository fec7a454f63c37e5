// The thread that does the device's work. It is not a JVM thread, so kernels may fault and switch stacks on it.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "block.h"
#include "work.h"

namespace softcuda {
namespace {

struct Executor {
  std::mutex mutex;
  std::condition_variable changed;
  const std::function<void()> *job = nullptr;
  std::thread::id thread;

  Executor() {
    std::thread worker([this] { loop(); });
    thread = worker.get_id();
    worker.detach();
  }

  void loop() {
    useSignalStack();
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return job != nullptr; });
      (*job)();
      job = nullptr;
      changed.notify_all();
    }
  }

  void run(const std::function<void()> &work) {
    std::unique_lock<std::mutex> lock(mutex);
    job = &work;
    changed.notify_all();
    changed.wait(lock, [this] { return job == nullptr; });
  }
};

/** Never destroyed: the process may end while its thread waits. */
Executor &executor() {
  static auto *instance = new Executor();
  return *instance;
}

}  // namespace

void onExecutor(const std::function<void()> &job) { executor().run(job); }

bool isExecutor() { return std::this_thread::get_id() == executor().thread; }

}  // namespace softcuda
