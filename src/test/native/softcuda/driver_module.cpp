// Modules and launches.
//
// A launch is checked at the call as the driver checks it, and its parameters are copied then. When it runs, pointer
// parameters must point into live memory and the module must still be loaded.
//
// cuLaunchKernel is not told how many parameters it is given. Here the list must end with a null pointer after the last
// one (a real driver does not read that far), so that a wrong number shows; the form with a parameter buffer says its size.
#include <cstring>
#include <set>

#include "block.h"
#include "call.h"
#include "memory.h"
#include "module.h"
#include "report.h"
#include "stream.h"

namespace softcuda {
namespace {

constexpr unsigned sharedLimitBytes = 49152;

/** Handles that cuModuleGetFunction gave; they live as long as the process. */
std::set<const Function *> &functions() {
  static auto *all = new std::set<const Function *>();
  return *all;
}

/** The parameters of one launch: a copy of each. */
struct Parameters {
  std::vector<std::vector<char>> values;

  void add(const void *value, unsigned bytes) {
    const char *from = static_cast<const char *>(value);
    values.emplace_back(from, from + bytes);
  }
};

std::string counted(const SoftcudaKernel &kernel) {
  return std::string("kernel ") + kernel.name + " takes " + std::to_string(kernel.parameters) + " parameters";
}

int fromList(const Call &call, const SoftcudaKernel &kernel, void *const *list, Parameters &into) {
  for (int i = 0; i < kernel.parameters; i++) {
    if (list[i] == nullptr) return call.refuse(InvalidValue, counted(kernel) + ", " + std::to_string(i) + " are given");
    into.add(list[i], kernel.bytes[i]);
  }
  if (list[kernel.parameters] == nullptr) return Success;
  return call.refuse(InvalidValue, counted(kernel) + ", more are given (or no null pointer follows the last)");
}

/** `extra` is: 1 (buffer follows), buffer, 2 (size follows), pointer to the size, 0 (end). */
int fromBuffer(const Call &call, const SoftcudaKernel &kernel, void *const *extra, Parameters &into) {
  const char *buffer = nullptr;
  size_t bytes = 0;
  for (; *extra != nullptr; extra += 2) {
    auto key = reinterpret_cast<uintptr_t>(*extra);
    if (key == 1) buffer = static_cast<const char *>(extra[1]);
    if (key == 2) bytes = *static_cast<const size_t *>(extra[1]);
    if (key != 1 && key != 2) return call.refuse(InvalidValue, "an unknown key in `extra`");
  }
  size_t offset = 0;
  for (int i = 0; i < kernel.parameters; i++) {
    unsigned size = kernel.bytes[i];
    offset = (offset + kernel.alignments[i] - 1) / kernel.alignments[i] * kernel.alignments[i];
    if (offset + size > bytes) break;
    into.add(buffer + offset, size);
    offset += size;
  }
  if (offset == bytes && static_cast<int>(into.values.size()) == kernel.parameters) return Success;
  return call.refuse(InvalidValue, counted(kernel) + ", which do not fill a buffer of " + std::to_string(bytes) + " bytes");
}

int checkGeometry(const Call &call, const SoftcudaKernel &kernel, Dimensions grid, Dimensions block, unsigned shared) {
  std::string which = std::string("kernel ") + kernel.name + ": ";
  if (grid.count() == 0 || block.count() == 0) return call.refuse(InvalidValue, which + "an empty grid or block");
  if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) {
    return call.refuse(InvalidValue, which + "the grid is too large");
  }
  if (block.x > 1024 || block.y > 1024 || block.z > 64 || block.count() > 1024) {
    return call.refuse(InvalidValue, which + std::to_string(block.count()) + " threads per block, the limit is 1024");
  }
  if (kernel.maxThreads > 0 && block.count() > static_cast<uint64_t>(kernel.maxThreads)) {
    return call.refuse(LaunchOutOfResources, which + std::to_string(block.count()) + " threads per block, its launch bounds say " +
                                                 std::to_string(kernel.maxThreads));
  }
  if (shared > sharedLimitBytes) {
    return call.refuse(InvalidValue, which + std::to_string(shared) + " bytes of shared memory, the limit is " +
                                         std::to_string(sharedLimitBytes));
  }
  return Success;
}

/** A pointer parameter is null, or points into (or to the end of) live device memory, or into pinned memory. */
void checkPointers(const SoftcudaKernel &kernel, const Parameters &parameters) {
  for (int i = 0; i < kernel.parameters; i++) {
    if (kernel.pointers[i] == 0) continue;
    Address address;
    std::memcpy(&address, parameters.values[static_cast<size_t>(i)].data(), sizeof address);
    const void *pointer = reinterpret_cast<const void *>(address);
    if (address == 0 || deviceMemory().find(address, 0) != nullptr || pinnedMemory().holds(pointer, 0)) continue;
    throw Fault("kernel " + std::string(kernel.name) + ": parameter " + std::to_string(i) + " is " + hex(pointer) + ": " +
                deviceMemory().describe(address));
  }
}

struct Launch {
  const Function *function;
  Dimensions grid;
  Dimensions block;
  unsigned sharedBytes;
  Parameters parameters;

  void run() const {
    if (!function->module->loaded) throw FaultWithStatus(LaunchFailed, "its module was unloaded before it ran");
    const SoftcudaKernel &kernel = *function->kernel;
    checkPointers(kernel, parameters);
    std::vector<std::vector<char>> values = parameters.values;  // a kernel may change its parameters
    std::vector<void *> pointers;
    for (auto &value : values) pointers.push_back(value.data());
    runKernel({function->module->table, &kernel, grid, block, sharedBytes, pointers.data()});
    spend(grid.count() * block.count());
  }
};

}  // namespace
}  // namespace softcuda

using namespace softcuda;

extern "C" {

SOFTCUDA_API int cuModuleLoadData(Module **module, const void *image) {
  Call call("cuModuleLoadData", Needs::Context, "module", true);
  if (call.error() != 0) return call.error();
  int status = loadModule(image, module);
  if (status == Success) track("module", *module, call.name());
  return status;
}

SOFTCUDA_API int cuModuleUnload(Module *module) {
  Call call("cuModuleUnload", Needs::Destruction, "", true);
  if (call.error() != 0) return call.error();
  if (!untrack("module", module, call.name())) return InvalidHandle;
  unloadModule(*module);
  return call.result(Success);
}

SOFTCUDA_API int cuModuleGetFunction(Function **function, Module *module, const char *name) {
  Call call("cuModuleGetFunction", Needs::Context, "module");
  if (call.error() != 0) return call.error();
  if (!checkLive("module", module, call.name())) return InvalidHandle;
  for (int i = 0; i < module->table->kernelCount; i++) {
    if (std::strcmp(module->table->kernels[i].name, name) != 0) continue;
    *function = new Function{module, &module->table->kernels[i], name};
    functions().insert(*function);
    return Success;
  }
  return NotFound;
}

SOFTCUDA_API int cuLaunchKernel(Function *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                                unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream handle,
                                void **list, void **extra) {
  Call call("cuLaunchKernel", Needs::Context, "launch");
  if (call.error() != 0) return call.error();
  if (functions().count(function) == 0) return call.refuse(InvalidHandle, "no such function");
  if (!isLive("module", function->module)) {
    return call.refuse(InvalidHandle, "the function's module was unloaded, or its context has ended");
  }
  Stream *stream = streamOf(handle);
  if (stream == nullptr) return call.refuse(InvalidHandle, "stream " + hex(handle) + " is not live");
  const SoftcudaKernel &kernel = *function->kernel;
  auto launch = std::make_shared<Launch>();
  *launch = {function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, {}};
  int problem = checkGeometry(call, kernel, launch->grid, launch->block, sharedBytes);
  if (problem == 0 && list != nullptr && extra != nullptr) problem = call.refuse(InvalidValue, "both parameter forms");
  if (problem == 0 && extra != nullptr) problem = fromBuffer(call, kernel, extra, launch->parameters);
  if (problem == 0 && list != nullptr) problem = fromList(call, kernel, list, launch->parameters);
  if (problem == 0 && static_cast<int>(launch->parameters.values.size()) != kernel.parameters) {
    problem = call.refuse(InvalidValue, counted(kernel) + ", none are given");
  }
  if (problem != 0) return problem;
  return enqueueOn(*stream, function->name.c_str(), std::make_shared<const std::function<void()>>([launch] { launch->run(); }));
}
}
