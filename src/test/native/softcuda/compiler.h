// Runs g++ for NVRTC, and keeps what it made.
#pragma once

#include <string>
#include <vector>

namespace softcuda {

struct KernelSource {
  std::string name;
  std::string text;
  std::vector<std::string> headerNames;
  std::vector<std::string> headerTexts;
  std::vector<std::string> defines;  // "NAME=VALUE"
  int architecture = 90;
  std::string standard = "c++17";
};

struct Compiled {
  bool ok = false;
  std::string log;           // the compiler's words
  std::vector<char> object;  // the shared object
};

/**
 * Compiles, or takes the result of an equal source from the cache: the folder that SOFTCUDA_CACHE names, else `cache`
 * beside the library.
 */
Compiled compileForHost(const KernelSource &source);

}  // namespace softcuda
