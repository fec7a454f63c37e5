// Signal handling: opens device memory that a kernel touches, and catches what it must not touch. Ours only while a
// kernel runs on the executor thread; everything else goes to who was there before, which in the tests is the JVM.
#include "fault.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include <atomic>

#include "block.h"
#include "memory.h"
#include "sanitizer.h"
#include "status.h"

namespace softcuda {
namespace {

const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr int signalCount = sizeof signals / sizeof signals[0];

struct sigaction previous[signalCount];
sigjmp_buf landing;
std::atomic<bool> armed{false};
pthread_t armedThread;
volatile int caughtSignal;
volatile int caughtCode;
void *volatile caughtAddress;

std::string describe(int signal, int code, const void *address) {
  if (signal == SIGFPE) return "integer division by zero or overflow";
  if (signal == SIGILL) return "an index outside an array, or a misaligned access";
  if (code == SI_KERNEL) return "access to an address that cannot be (from memory that nobody wrote?)";
  if (reinterpret_cast<Address>(address) < 4096) return "access to address " + hex(address) + ", a null pointer";
  std::string what = deviceMemory().describe(reinterpret_cast<Address>(address));
  if (what == "not a device address") what += "; past shared memory, past the thread's stack, or of the host";
  return "access to address " + hex(address) + ": " + what;
}

void passOn(int signal, siginfo_t *info, void *context) {
  for (int i = 0; i < signalCount; i++) {
    if (signals[i] != signal) continue;
    if ((previous[i].sa_flags & SA_SIGINFO) != 0 && previous[i].sa_sigaction != nullptr) {
      previous[i].sa_sigaction(signal, info, context);
    } else if (previous[i].sa_handler != SIG_DFL && previous[i].sa_handler != SIG_IGN) {
      previous[i].sa_handler(signal);
    } else {
      sigaction(signal, &previous[i], nullptr);  // the instruction faults again, with the default consequence
    }
  }
}

void onSignal(int signal, siginfo_t *info, void *context) {
  if (!armed || !pthread_equal(pthread_self(), armedThread)) {
    passOn(signal, info, context);
    return;
  }
  if (signal == SIGSEGV && deviceMemory().openForFault(reinterpret_cast<Address>(info->si_addr))) return;
  armed = false;
  // AddressSanitizer follows the switches between fibers, and would not follow this jump.
  if (sanitized) die(placeInKernel() + ": " + describe(signal, info->si_code, info->si_addr));
  caughtSignal = signal;
  caughtCode = info->si_code;
  caughtAddress = info->si_addr;
  siglongjmp(landing, 1);
}

/** The JVM's handlers are there by now: this runs at the first launch. */
void install() {
  struct sigaction ours = {};
  ours.sa_sigaction = onSignal;
  for (int i = 0; i < signalCount; i++) {
    sigaction(signals[i], nullptr, &previous[i]);
    ours.sa_mask = previous[i].sa_mask;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous[i].sa_flags & SA_RESTART);
    sigaction(signals[i], &ours, nullptr);
  }
}

/** Not inlined: locals of the function that the jump returns to may be lost. */
__attribute__((noinline)) int statusOfFault(std::string &message) {
  message = describe(caughtSignal, caughtCode, caughtAddress);
  if (caughtSignal == SIGILL) return MisalignedAddress;
  return caughtSignal == SIGFPE ? LaunchFailed : IllegalAddress;
}

}  // namespace

void useSignalStack() {
  static unsigned char memory[64 * 1024];
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = sizeof memory;
  sigaltstack(&stack, nullptr);
}

int catchFault(void (*code)(), std::string &message) {
  static bool installed = (install(), true);
  static_cast<void>(installed);
  armedThread = pthread_self();
  if (sigsetjmp(landing, 1) != 0) return statusOfFault(message);
  armed = true;
  code();
  armed = false;
  return 0;
}

}  // namespace softcuda
