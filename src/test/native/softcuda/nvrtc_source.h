// The small part of CUDA's language that macros cannot express: found and rewritten in preprocessed source.
#pragma once

#include <string>
#include <vector>

namespace softcuda {

struct KernelSignature {
  std::string name;
  std::string bounds;  // the first argument of __launch_bounds__, "0" if there is none
};

struct HostSource {
  std::string text;
  std::vector<KernelSignature> kernels;
  std::string error;  // what is not supported, empty if all is well
};

/**
 * Turns preprocessed kernel source (device/core.h in front) into C++ for the host: drops the qualifiers, makes
 * `extern __shared__ T name[]` a pointer to the block's dynamic shared memory and `__shared__` a static variable, and
 * appends the table of the extern "C" kernels.
 */
HostSource toHostSource(const std::string &preprocessed);

}  // namespace softcuda
