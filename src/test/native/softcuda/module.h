// Compiled kernels: what NVRTC hands out and the driver loads.
//
// An image is a Header followed by the bytes of a shared object (as "CUBIN"), or the same in hexadecimal text behind
// a line that says so (as "PTX", which must be text).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device/abi.h"

namespace softcuda {

constexpr int computeCapability = 90;
constexpr char ptxFirstLine[] = "// softcuda module\n";

struct ImageHeader {
  char magic[8];  // "SOFTCUDA"
  uint32_t architecture;  // 90
  uint32_t checksum;
  uint64_t bytes;
};

uint32_t imageChecksum(const unsigned char *bytes, uint64_t count);

/** A shared object wrapped for cuModuleLoadData. */
std::vector<char> asCubin(const std::vector<char> &object, int architecture);
std::string asPtx(const std::vector<char> &object, int architecture);

struct Module {
  void *library = nullptr;
  int file = -1;  // open while loaded: the loader takes a name that it knows for the library that it knows
  const SoftcudaModule *table = nullptr;
  bool loaded = true;
};

struct Function {
  Module *module;
  const SoftcudaKernel *kernel;  // gone with the module
  std::string name;              // of the kernel; stays, since work that is enqueued goes by it
};

/** Loads an image; returns a CUresult. */
int loadModule(const void *image, Module **module);
void unloadModule(Module &module);

}  // namespace softcuda
