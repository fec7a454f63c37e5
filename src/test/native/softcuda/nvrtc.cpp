// libnvrtc.so.12: programs, their options and results.
#include <algorithm>
#include <cstring>
#include <memory>

#include "compiler.h"
#include "module.h"
#include "softcuda.h"

namespace softcuda {
namespace {

enum NvrtcResult : int {
  NvrtcSuccess = 0,
  NvrtcInvalidInput = 3,
  NvrtcInvalidProgram = 4,
  NvrtcInvalidOption = 5,
  NvrtcCompilation = 6,
};

const char *const resultNames[] = {
    "NVRTC_SUCCESS",
    "NVRTC_ERROR_OUT_OF_MEMORY",
    "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
    "NVRTC_ERROR_INVALID_INPUT",
    "NVRTC_ERROR_INVALID_PROGRAM",
    "NVRTC_ERROR_INVALID_OPTION",
    "NVRTC_ERROR_COMPILATION",
    "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
    "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION",
    "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION",
    "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID",
    "NVRTC_ERROR_INTERNAL_ERROR",
};

// Compute capabilities that NVRTC 12.6 compiles for.
const int architectures[] = {50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90};

constexpr char kind[] = "nvrtc program";

struct Program {
  KernelSource source;
  bool machineCode = false;
  Compiled result;
  std::vector<char> cubin;
  std::string ptx;
};

bool readArchitecture(const std::string &value, Program &program) {
  program.machineCode = value.rfind("sm_", 0) == 0;
  if (!program.machineCode && value.rfind("compute_", 0) != 0) return false;
  program.source.architecture = std::atoi(value.c_str() + value.find('_') + 1);
  return std::find(std::begin(architectures), std::end(architectures), program.source.architecture) !=
         std::end(architectures);
}

/** Whether an option is one of NVRTC's that has a meaning here, or none that matters. */
bool readOption(const std::string &option, Program &program) {
  size_t equals = option.find('=');
  std::string name = option.substr(0, equals);
  std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (name == "--gpu-architecture" || name == "-arch") return readArchitecture(value, program);
  if (name == "--std" || name == "-std") {
    program.source.standard = value;
    return value == "c++17" || value == "c++20";
  }
  if (name == "--define-macro") {
    program.source.defines.push_back(value);
    return true;
  }
  if (option.rfind("-D", 0) == 0 && option.size() > 2) {
    program.source.defines.push_back(option.substr(2));
    return true;
  }
  // On the host a product is always rounded before a sum, which --fmad=true permits.
  static const char *const harmless[] = {"--fmad",      "-fmad",    "--generate-line-info", "-lineinfo",
                                         "--restrict",  "-restrict", "--device-as-default-execution-space",
                                         "-default-device", "--extra-device-vectorization"};
  return std::any_of(std::begin(harmless), std::end(harmless), [&](const char *known) { return name == known; });
}

int compile(Program &program, int count, const char *const *options) {
  for (int i = 0; i < count; i++) {
    if (readOption(options[i], program)) continue;
    program.result.log = std::string("unknown option or value: ") + options[i] + "\n";
    return NvrtcInvalidOption;
  }
  program.result = compileForHost(program.source);
  if (!program.result.ok) return NvrtcCompilation;
  if (program.machineCode) program.cubin = asCubin(program.result.object, program.source.architecture);
  program.ptx = asPtx(program.result.object, program.source.architecture);
  return NvrtcSuccess;
}

/** The entry of a call about a program: 0, or what to return. */
int enter(const char *call, Program *program) {
  int status;
  if (shouldFail("nvrtc", call, &status)) return status;
  return checkLive(kind, program, call) ? NvrtcSuccess : NvrtcInvalidProgram;
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

extern "C" {

SOFTCUDA_API const char *nvrtcGetErrorString(int result) {
  bool known = result >= 0 && result < static_cast<int>(std::size(resultNames));
  return known ? resultNames[result] : "NVRTC_ERROR unknown";
}

SOFTCUDA_API int nvrtcVersion(int *major, int *minor) {
  int status;
  if (shouldFail("nvrtc", "nvrtcVersion", &status)) return status;
  *major = 12;
  *minor = 6;
  return NvrtcSuccess;
}

SOFTCUDA_API int nvrtcGetNumSupportedArchs(int *count) {
  int status;
  if (shouldFail("nvrtc", "nvrtcGetNumSupportedArchs", &status)) return status;
  *count = static_cast<int>(std::size(architectures));
  return NvrtcSuccess;
}

SOFTCUDA_API int nvrtcGetSupportedArchs(int *into) {
  int status;
  if (shouldFail("nvrtc", "nvrtcGetSupportedArchs", &status)) return status;
  std::copy(std::begin(architectures), std::end(architectures), into);
  return NvrtcSuccess;
}

SOFTCUDA_API int nvrtcCreateProgram(Program **made, const char *text, const char *name, int count,
                                    const char *const *texts, const char *const *names) {
  int status;
  if (shouldFail("nvrtc", "nvrtcCreateProgram", &status)) return status;
  if (text == nullptr || count < 0 || (count > 0 && (texts == nullptr || names == nullptr))) return NvrtcInvalidInput;
  auto program = std::make_unique<Program>();
  program->source.text = text;
  program->source.name = name == nullptr || *name == 0 ? "default_program" : name;
  for (int i = 0; i < count; i++) {
    program->source.headerTexts.emplace_back(texts[i]);
    program->source.headerNames.emplace_back(names[i]);
  }
  *made = program.release();
  track(kind, *made, "nvrtcCreateProgram");
  return NvrtcSuccess;
}

SOFTCUDA_API int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
  int status = enter("nvrtcCompileProgram", program);
  return status != 0 ? status : compile(*program, count, options);
}

SOFTCUDA_API int nvrtcGetProgramLogSize(Program *program, size_t *bytes) {
  int status = enter("nvrtcGetProgramLogSize", program);
  if (status == 0) *bytes = program->result.log.size() + 1;
  return status;
}

SOFTCUDA_API int nvrtcGetProgramLog(Program *program, char *into) {
  int status = enter("nvrtcGetProgramLog", program);
  if (status == 0) std::strcpy(into, program->result.log.c_str());
  return status;
}

/** Zero bytes for a program compiled for a virtual architecture. */
SOFTCUDA_API int nvrtcGetCUBINSize(Program *program, size_t *bytes) {
  int status = enter("nvrtcGetCUBINSize", program);
  if (status == 0) *bytes = program->cubin.size();
  return status;
}

SOFTCUDA_API int nvrtcGetCUBIN(Program *program, char *into) {
  int status = enter("nvrtcGetCUBIN", program);
  if (status != 0) return status;
  if (program->cubin.empty()) {
    violation("nvrtcGetCUBIN: the program was not compiled for an sm_ architecture");
    return NvrtcInvalidProgram;
  }
  std::copy(program->cubin.begin(), program->cubin.end(), into);
  return NvrtcSuccess;
}

SOFTCUDA_API int nvrtcGetPTXSize(Program *program, size_t *bytes) {
  int status = enter("nvrtcGetPTXSize", program);
  if (status == 0) *bytes = program->ptx.size() + 1;
  return status;
}

SOFTCUDA_API int nvrtcGetPTX(Program *program, char *into) {
  int status = enter("nvrtcGetPTX", program);
  if (status == 0) std::strcpy(into, program->ptx.c_str());
  return status;
}

SOFTCUDA_API int nvrtcDestroyProgram(Program **program) {
  int status = enter("nvrtcDestroyProgram", *program);
  if (status != 0) return status;
  untrack(kind, *program, "nvrtcDestroyProgram");
  delete *program;
  *program = nullptr;
  return NvrtcSuccess;
}
}
