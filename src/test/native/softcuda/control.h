// What a test decides about the device, and the seeded freedom that everything else draws from.
//
// The control file (named by SOFTCUDA_CONTROL) has one `key=value` per line; '#' starts a comment:
//   seed=7                 orders of streams, blocks and threads; NOT_READY answers (else SOFTCUDA_SEED, else 1)
//   memory=1048576         bytes of device memory (1 GiB if absent)
//   fail=alloc:3:2         the third allocation answers status 2; repeatable. The first word is a kind (alloc, hostalloc,
//                          copy, launch, graph, module, stream, event, nvrtc, cudnn, cublas), the name of one call, or
//                          `execution`: the Nth piece of enqueued work fails when it runs, which makes the status
//                          sticky. A kind leaves out the calls that destroy something
//   late=always            nothing runs before it must (else some work runs early, by the seed)
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace softcuda {

struct Injection {
  std::string what;
  long countdown;
  int status;
};

struct Settings {
  uint64_t seed = 1;
  uint64_t memoryBytes = uint64_t{1} << 30;
  bool alwaysLate = false;
  std::vector<Injection> injections;
};

/** Reads environment and control file; a line that cannot be understood ends the process. */
Settings readSettings();

/** Starts a context's life: takes the settings, seeds the draws, forgets the counts. */
void applySettings(const Settings &settings);

const Settings &settings();

/** Whether the countdown of an injection for this kind or name reaches zero now. */
bool injected(const char *kindOrName, int *status);

/** Calls of each entry point since the context was made. */
std::map<std::string, long> &callCounts();

}  // namespace softcuda
