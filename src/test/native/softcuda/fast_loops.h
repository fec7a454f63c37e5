// Marks a function whose inner loops shall be vectorised, in a build that is otherwise -O2.
//
// SOFTCUDA_FAST makes a second version of the function for CPUs with AVX2 and FMA, chosen when the
// library is loaded. Sanitised builds do without: the choice would run before the sanitiser is ready.
#pragma once

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SOFTCUDA_FAST __attribute__((target_clones("arch=haswell", "default")))
#else
#define SOFTCUDA_FAST
#endif
