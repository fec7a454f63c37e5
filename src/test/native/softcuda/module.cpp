// Loading: the image's shared object goes into an anonymous file and from there through the dynamic loader.
#include "module.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "report.h"
#include "softcuda.h"
#include "status.h"

namespace softcuda {
namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** The bytes that a "PTX" text stands for. */
std::vector<char> decode(const char *text) {
  std::vector<char> bytes;
  for (const char *p = text + std::strlen(ptxFirstLine); hexDigit(p[0]) >= 0 && hexDigit(p[1]) >= 0; p += 2) {
    bytes.push_back(static_cast<char>(hexDigit(p[0]) << 4 | hexDigit(p[1])));
  }
  return bytes;
}

int openObject(const char *object, uint64_t bytes, Module &into) {
  int file = memfd_create("softcuda-module", MFD_CLOEXEC);
  if (file < 0) die("no anonymous file for a module");
  for (uint64_t written = 0; written < bytes;) {
    ssize_t count = write(file, object + written, bytes - written);
    if (count <= 0) die("cannot write a module to its anonymous file");
    written += static_cast<uint64_t>(count);
  }
  into.file = file;
  into.library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (into.library == nullptr) {
    violation(std::string("cuModuleLoadData: ") + dlerror());
    return InvalidImage;
  }
  using Table = const SoftcudaModule *(*)();
  auto table = reinterpret_cast<Table>(dlsym(into.library, "softcuda_module"));
  if (table == nullptr) die("a module has no kernel table");
  into.table = table();
  return Success;
}

}  // namespace

int loadModule(const void *image, Module **module) {
  std::vector<char> decoded;
  const char *bytes = static_cast<const char *>(image);
  if (std::strncmp(bytes, ptxFirstLine, std::strlen(ptxFirstLine)) == 0) {
    decoded = decode(bytes);
    if (decoded.size() < sizeof(ImageHeader)) return InvalidImage;
    bytes = decoded.data();
  }
  ImageHeader header;
  if (std::strncmp(bytes, "SOFTCUDA", 8) != 0) return InvalidImage;
  std::memcpy(&header, bytes, sizeof header);
  const char *object = bytes + sizeof header;
  if (!decoded.empty() && decoded.size() != sizeof header + header.bytes) return InvalidImage;
  if (imageChecksum(reinterpret_cast<const unsigned char *>(object), header.bytes) != header.checksum) {
    return InvalidImage;
  }
  bool isPtx = !decoded.empty();
  auto wanted = static_cast<int>(header.architecture);
  bool fits = isPtx ? wanted <= computeCapability : wanted / 10 == computeCapability / 10 && wanted <= computeCapability;
  if (!fits) return NoBinaryForGpu;
  auto *made = new Module();
  int status = openObject(object, header.bytes, *made);
  *module = status == Success ? made : nullptr;
  return status;
}

void unloadModule(Module &module) {
  module.loaded = false;
  dlclose(module.library);
  close(module.file);
}

}  // namespace softcuda
