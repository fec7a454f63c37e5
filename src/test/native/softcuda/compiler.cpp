// Preprocess, rewrite, compile. Kernels see no system header, as under NVRTC.
#include "compiler.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "nvrtc_source.h"
#include "sanitizer.h"
#include "softcuda.h"

extern char **environ;

namespace softcuda {
namespace {

namespace fs = std::filesystem;

std::string readAll(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void writeAll(const fs::path &path, const std::string &text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) die("cannot write " + path.string());
}

/** Where this library lies; the kernels' headers are in `device` beside it. */
fs::path libraryFolder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&compileForHost), &info) == 0) die("libnvrtc cannot find itself");
  return fs::absolute(info.dli_fname).parent_path();
}

/** A number of 64 bits that depends on each byte, from a start. */
uint64_t digest(const std::string &text, uint64_t value) {
  for (unsigned char c : text) value = (value ^ c) * 0x100000001B3u;
  return value;
}

/** Two digests of all that the result depends on; a length before each part keeps parts apart. */
std::string keyOf(const KernelSource &source) {
  std::string all = source.standard + std::to_string(source.architecture) + (sanitized ? "s" : "");
  auto add = [&all](const std::string &part) { all += std::to_string(part.size()) + ":" + part; };
  add(source.name);
  add(source.text);
  for (const std::string &text : source.defines) add("-D" + text);
  for (const std::string &text : source.headerNames) add(text);
  for (const std::string &text : source.headerTexts) add(text);
  char key[40];
  std::snprintf(key, sizeof key, "%016llx%016llx", static_cast<unsigned long long>(digest(all, 0xCBF29CE484222325u)),
                static_cast<unsigned long long>(digest(all, 0x9AE16A3B2F90404Fu)));
  return key;
}

/** A folder that goes when it goes out of scope. */
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "softcuda-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) die("cannot make a temporary folder like " + pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const fs::path &path() const { return path_; }

 private:
  fs::path path_;
};

/** Runs g++ with its messages in a file; whether it succeeded. */
bool runCompiler(const std::vector<std::string> &arguments, const fs::path &messages) {
  std::vector<std::string> words = {"g++"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char *> argv;
  for (std::string &word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char *> environment;
  for (char **entry = environ; *entry != nullptr; entry++) environment.push_back(*entry);
  static char plainMessages[] = "LC_ALL=C";
  environment.insert(environment.begin(), plainMessages);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, messages.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t child;
  int failed = posix_spawnp(&child, "g++", &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) die("cannot start g++");
  int status;
  if (waitpid(child, &status, 0) != child) die("lost g++");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::string> preprocessing(const KernelSource &source, const fs::path &folder) {
  fs::path device = libraryFolder() / "device";
  std::vector<std::string> words = {"-x", "c++", "-std=" + source.standard, "-E", "-nostdinc", "-w"};
  words.insert(words.end(), {"-I", (folder / "include").string(), "-iquote", device.string()});
  words.insert(words.end(), {"-include", (device / "core.h").string()});
  for (const std::string &define : source.defines) words.push_back("-D" + define);
  words.insert(words.end(), {(folder / source.name).string(), "-o", (folder / "kernel.ii").string()});
  return words;
}

std::vector<std::string> compilation(const KernelSource &source, const fs::path &folder) {
  std::vector<std::string> words = {"-x", "c++-cpp-output", "-std=" + source.standard, "-O2", "-g", "-fPIC", "-shared"};
  // Kernels read floats through float4 pointers, and the device rounds a product before a sum unless told otherwise.
  words.insert(words.end(), {"-fno-strict-aliasing", "-ffp-contract=off", "-fno-math-errno"});
  // Modules are many, their names equal: nothing but the table is visible, and no static is shared between them.
  words.insert(words.end(), {"-fvisibility=hidden", "-fno-gnu-unique", "-fno-exceptions", "-fno-rtti", "-Wl,-Bsymbolic"});
  if (sanitized) {
    words.insert(words.end(), {"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"});
  } else {
    // A wrong index into an array of known size, or a misaligned vector, stops at an illegal instruction.
    words.insert(words.end(), {"-fsanitize=alignment,bounds", "-fsanitize-undefined-trap-on-error"});
    words.insert(words.end(), {"-nostartfiles", "-nodefaultlibs", "-Wl,--no-undefined"});
  }
  words.insert(words.end(), {(folder / "host.ii").string(), "-o", (folder / "kernel.so").string()});
  words.insert(words.end(), {"-lm", "-lc", "-lgcc"});
  return words;
}

/** The compiler's messages, without the temporary folder's name. */
std::string messagesIn(const fs::path &folder) {
  std::string text = readAll(folder / "messages");
  std::string prefix = folder.string() + "/";
  for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at)) text.erase(at, prefix.size());
  return text;
}

Compiled compileAnew(const KernelSource &source) {
  TemporaryFolder temporary;
  const fs::path &folder = temporary.path();
  writeAll(folder / source.name, source.text);
  fs::create_directories(folder / "include");
  for (size_t i = 0; i < source.headerNames.size(); i++) {
    writeAll(folder / "include" / source.headerNames[i], source.headerTexts[i]);
  }
  Compiled result;
  result.ok = runCompiler(preprocessing(source, folder), folder / "messages");
  if (result.ok) {
    HostSource host = toHostSource(readAll(folder / "kernel.ii"));
    writeAll(folder / "host.ii", host.text);
    if (!host.error.empty()) return {false, source.name + ": " + host.error + "\n", {}};
    result.ok = runCompiler(compilation(source, folder), folder / "messages");
  }
  result.log = messagesIn(folder);
  std::string object = result.ok ? readAll(folder / "kernel.so") : "";
  result.object.assign(object.begin(), object.end());
  return result;
}

}  // namespace

Compiled compileForHost(const KernelSource &source) {
  const char *named = std::getenv("SOFTCUDA_CACHE");
  fs::path cache = named != nullptr ? fs::path(named) : libraryFolder() / "cache";
  fs::path kept = cache / keyOf(source);
  if (fs::exists(kept)) {
    std::string object = readAll(kept);
    return {true, "", {object.begin(), object.end()}};
  }
  Compiled result = compileAnew(source);
  if (result.ok) {
    fs::path partial = kept.string() + "." + std::to_string(getpid());
    writeAll(partial, std::string(result.object.begin(), result.object.end()));
    fs::rename(partial, kept);
  }
  return result;
}

}  // namespace softcuda
