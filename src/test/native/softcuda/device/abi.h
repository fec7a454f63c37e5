// What a compiled kernel module and the driver know of each other. No system header: kernels are compiled without any.
#pragma once

struct SoftcudaIndex {
  unsigned x, y, z;
};

/** What the lanes of a collective gave, valid until the lane's next collective with the same mask. */
struct SoftcudaLanes {
  unsigned long long values[32];
  unsigned arrived;
};

/** What kernels need of the driver. `line` and `what` name the place in messages. */
struct SoftcudaHost {
  /** __syncthreads and kin: the number of threads whose predicate holds. */
  int (*barrier)(const char *what, int line, int predicate);
  /** Waits for all lanes in the mask that have not returned; each gives one value. */
  const SoftcudaLanes *(*exchange)(const char *what, int line, unsigned mask, unsigned long long value);
  int (*lane)();
  unsigned (*liveLanes)();
  unsigned long long (*clock)();
  void (*fail)(const char *message, int line);
};

struct SoftcudaKernel {
  const char *name;
  void (*run)(void **parameters);
  int parameters;
  const unsigned *bytes;
  const unsigned *alignments;
  const unsigned char *pointers;
  int maxThreads;
};

struct SoftcudaModule {
  const SoftcudaKernel *kernels;
  int kernelCount;
  SoftcudaIndex *threadIdx, *blockIdx, *blockDim, *gridDim;
  const SoftcudaHost **host;
  unsigned char **dynamicShared;
  unsigned char *sharedBegin, *sharedEnd;  // all static shared memory of the module
};
