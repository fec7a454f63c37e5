// Rewrites by token: kernel source is C++ with four foreign words, spelled softcuda_..._ by device/core.h.
#include "nvrtc_source.h"

#include <cctype>

namespace softcuda {
namespace {

const std::string globalWord = "softcuda_global_";
const std::string sharedWord = "softcuda_shared_";
const std::string boundsWord = "softcuda_bounds_";

bool isWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/** The next whole word at or after `from`, outside string literals; npos if there is none. */
size_t findWord(const std::string &text, const std::string &word, size_t from) {
  for (size_t at = text.find(word, from); at != std::string::npos; at = text.find(word, at + 1)) {
    bool begins = at == 0 || !isWord(text[at - 1]);
    bool ends = at + word.size() == text.size() || !isWord(text[at + word.size()]);
    if (begins && ends) return at;
  }
  return std::string::npos;
}

/** The index after the bracket that closes the one at `open`. */
size_t afterMatching(const std::string &text, size_t open) {
  char opening = text[open];
  char closing = opening == '(' ? ')' : ']';
  int depth = 0;
  for (size_t at = open; at < text.size(); at++) {
    if (text[at] == opening) depth++;
    if (text[at] == closing && --depth == 0) return at + 1;
  }
  return text.size();
}

void blank(std::string &text, size_t from, size_t to) {
  for (size_t at = from; at < to; at++) {
    if (text[at] != '\n') text[at] = ' ';
  }
}

/** The first argument in "(a, b)". */
std::string firstArgument(const std::string &text, size_t open, size_t end) {
  int depth = 0;
  for (size_t at = open; at < end; at++) {
    if (text[at] == '(') depth++;
    if (text[at] == ')') depth--;
    if ((text[at] == ',' && depth == 1) || depth == 0) return text.substr(open + 1, at - open - 1);
  }
  return "0";
}

/** The word that ends before `end`, spaces skipped. */
std::string wordBefore(const std::string &text, size_t end) {
  while (end > 0 && std::isspace(static_cast<unsigned char>(text[end - 1])) != 0) end--;
  size_t begin = end;
  while (begin > 0 && isWord(text[begin - 1])) begin--;
  return text.substr(begin, end - begin);
}

/** Whether what stands before a kernel says extern "C", or a block of it is open there. */
bool isExternC(const std::string &text, size_t at) {
  size_t begin = text.find_last_of(";}", at);
  std::string before = text.substr(begin == std::string::npos ? 0 : begin + 1, at - (begin == std::string::npos ? 0 : begin + 1));
  if (before.find("extern \"C\"") != std::string::npos) return true;
  int depth = 0;
  for (size_t i = at; i-- > 0;) {
    if (text[i] == '}') depth++;
    if (text[i] != '{' || depth-- > 0) continue;
    size_t quote = text.find_last_not_of(" \n\t", i - 1);
    return quote != std::string::npos && quote > 9 && text.compare(quote - 9, 10, "extern \"C\"") == 0;
  }
  return false;
}

/** Removes `__launch_bounds__(...)` between two places, returning its first argument. */
std::string takeBounds(std::string &text, size_t from, size_t to) {
  size_t word = findWord(text, boundsWord, from);
  if (word == std::string::npos || word > to) return "0";
  size_t open = text.find('(', word);
  size_t end = afterMatching(text, open);
  std::string bounds = firstArgument(text, open, end);
  blank(text, word, end);
  return bounds;
}

/** The parenthesis that opens the parameters of the function declared after `at`; attributes and bounds are skipped. */
size_t parameterList(const std::string &text, size_t at) {
  for (size_t open = text.find('(', at); open != std::string::npos; open = text.find('(', afterMatching(text, open))) {
    std::string word = wordBefore(text, open);
    if (word != boundsWord && word != "__attribute__") return open;
  }
  return std::string::npos;
}

void takeKernels(HostSource &source) {
  std::string &text = source.text;
  for (size_t at = findWord(text, globalWord, 0); at != std::string::npos; at = findWord(text, globalWord, at)) {
    blank(text, at, at + globalWord.size());
    size_t open = parameterList(text, at);
    if (open == std::string::npos) continue;
    size_t statement = text.find_last_of(";}", at);
    std::string bounds = takeBounds(text, statement == std::string::npos ? 0 : statement, open);
    size_t after = text.find_first_of(";{", afterMatching(text, open));
    bool isDefinition = after != std::string::npos && text[after] == '{';
    if (isDefinition && isExternC(text, at)) source.kernels.push_back({wordBefore(text, open), bounds});
  }
}

/** How many braces are open. */
int depth(const std::string &text, size_t at) {
  int open = 0;
  for (size_t i = 0; i < at; i++) open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
  return open;
}

/** extern __shared__ T name[];  ->  auto *name = reinterpret_cast<T *>(softcuda_dynamic); */
void takeDynamicShared(HostSource &source, size_t externAt, size_t at) {
  std::string &text = source.text;
  size_t end = text.find(';', at);
  size_t bracket = text.rfind('[', end);
  if (depth(text, at) == 0) {
    source.error = "extern __shared__ must stand inside the kernel that uses it";
    return;
  }
  if (end == std::string::npos || bracket == std::string::npos || bracket < at) {
    source.error = "extern __shared__ must declare an array of unknown size, as in: extern __shared__ float name[];";
    return;
  }
  std::string name = wordBefore(text, bracket);
  size_t nameAt = text.rfind(name, bracket);
  std::string type = text.substr(at + sharedWord.size(), nameAt - at - sharedWord.size());
  size_t attribute = type.find("__attribute__");
  if (attribute != std::string::npos) blank(type, attribute, afterMatching(type, type.find('(', attribute)));
  std::string rewritten = "auto *const " + name + " = reinterpret_cast<" + type + " *>(softcuda_dynamic)";
  text.replace(externAt, end - externAt, rewritten);
}

void takeShared(HostSource &source) {
  std::string &text = source.text;
  for (size_t at = findWord(text, sharedWord, 0); at != std::string::npos && source.error.empty();
       at = findWord(text, sharedWord, at)) {
    size_t statement = text.find_last_of(";{}", at);
    size_t externAt = findWord(text, "extern", statement == std::string::npos ? 0 : statement);
    size_t staticAt = findWord(text, "static", statement == std::string::npos ? 0 : statement);
    if (externAt < at) {
      takeDynamicShared(source, externAt, at);
    } else {
      text.replace(at, sharedWord.size(), staticAt < at ? "" : "static");
    }
  }
}

std::string kernelTable(const std::vector<KernelSignature> &kernels) {
  std::string text = "\n# 1 \"softcuda kernel table\"\nstatic const SoftcudaKernel softcuda_table[] = {\n";
  for (const KernelSignature &kernel : kernels) {
    std::string thunk = "softcuda_kernels::Thunk<&" + kernel.name + ">::";
    text += "{\"" + kernel.name + "\", " + thunk + "run, " + thunk + "count, " + thunk + "bytes, " + thunk +
            "alignments, " + thunk + "pointers, (" + kernel.bounds + ")},\n";
  }
  text += "{}};\n"
          "extern \"C\" __attribute__((visibility(\"default\"))) const SoftcudaModule *softcuda_module() {\n"
          "  static const SoftcudaModule module = {softcuda_table, sizeof softcuda_table / sizeof softcuda_table[0] - 1,\n"
          "      &threadIdx, &blockIdx, &blockDim, &gridDim, &softcuda_host, &softcuda_dynamic, __bss_start, _end};\n"
          "  return &module;\n"
          "}\n";
  return text;
}

}  // namespace

HostSource toHostSource(const std::string &preprocessed) {
  HostSource source;
  source.text = preprocessed;
  takeKernels(source);
  takeShared(source);
  source.text += kernelTable(source.kernels);
  return source;
}

}  // namespace softcuda
