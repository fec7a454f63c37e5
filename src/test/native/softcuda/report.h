// The log, and the registry of what must be destroyed. The public half is in softcuda.h.
#pragma once

#include <string>

namespace softcuda {

/** Appends a line to the file that SOFTCUDA_LOG names, if it names one. */
void log(const std::string &line);

bool isLive(const char *kind, const void *resource);

/** Lists all that is still tracked, oldest first, and forgets it; `end` is what destroyed it. */
void logLeaks(const std::string &end);

}  // namespace softcuda
