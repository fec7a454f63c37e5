// The frame of each driver entry point: one lock, the count, injected faults, and what the call needs.
#pragma once

#include <mutex>
#include <string>

#include "softcuda.h"
#include "status.h"

namespace softcuda {

/** What must hold for a call. */
enum class Needs {
  Nothing,      // works before cuInit
  Init,
  Context,      // current, live, without sticky error
  Destruction,  // as Context, but done even after a sticky error, which is then what it returns
};

/** Held by every call; work on the executor runs under the lock of the call that waits for it. */
std::recursive_mutex &apiLock();

class Call {
 public:
  Call(const char *name, Needs needs, const char *kind = "", bool unsafeInCapture = false);

  /** What to return without doing anything, 0 to go on. */
  int error() const { return error_; }

  /** The call's answer: a sticky error goes before success. */
  int result(int status) const;

  /** Reports a misuse and gives the status for it. */
  int refuse(int status, const std::string &why) const;

  const char *name() const { return name_; }

 private:
  std::lock_guard<std::recursive_mutex> lock_;
  const char *name_;
  int error_ = 0;
};

bool initialized();

/** Why the calling thread cannot make context calls: 0, 3 (no cuInit), 201 (no context) or 709 (it is gone). */
int currentContextProblem(const char *call);

struct Context {
  bool alive = true;
};

Context *primaryContext();

}  // namespace softcuda
