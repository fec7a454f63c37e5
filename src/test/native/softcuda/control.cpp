// The control file, the seed and the injected faults.
#include "control.h"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "softcuda.h"

namespace softcuda {
namespace {

// Never destroyed: other threads may still call while the process ends.
auto &current = *new Settings();
auto &counts = *new std::map<std::string, long>();
uint64_t drawState = 1;

uint64_t number(const std::string &text, const std::string &line) {
  char *end = nullptr;
  uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != 0) die("control file: no number in '" + line + "'");
  return value;
}

Injection injection(const std::string &value, const std::string &line) {
  size_t first = value.find(':');
  size_t second = value.find(':', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) die("control file: '" + line + "' is not fail=WHAT:N:STATUS");
  Injection result;
  result.what = value.substr(0, first);
  result.countdown = static_cast<long>(number(value.substr(first + 1, second - first - 1), line));
  result.status = static_cast<int>(number(value.substr(second + 1), line));
  return result;
}

void readLine(const std::string &line, Settings &into) {
  size_t equals = line.find('=');
  if (equals == std::string::npos) die("control file: '" + line + "' is not key=value");
  std::string key = line.substr(0, equals);
  std::string value = line.substr(equals + 1);
  if (key == "seed") {
    into.seed = number(value, line);
  } else if (key == "memory") {
    into.memoryBytes = number(value, line);
  } else if (key == "fail") {
    into.injections.push_back(injection(value, line));
  } else if (key == "late" && value == "always") {
    into.alwaysLate = true;
  } else {
    die("control file: unknown '" + line + "'; known: seed=, memory=, fail=, late=always");
  }
}

}  // namespace

Settings readSettings() {
  Settings result;
  if (const char *seed = std::getenv("SOFTCUDA_SEED")) result.seed = number(seed, "SOFTCUDA_SEED");
  const char *path = std::getenv("SOFTCUDA_CONTROL");
  if (path == nullptr) return result;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    line = line.substr(0, line.find('#'));
    size_t end = line.find_last_not_of(" \t\r");
    if (end != std::string::npos) readLine(line.substr(0, end + 1), result);
  }
  return result;
}

void applySettings(const Settings &settings) {
  current = settings;
  drawState = settings.seed;
  counts.clear();
}

const Settings &settings() { return current; }

bool injected(const char *kindOrName, int *status) {
  for (Injection &injection : current.injections) {
    if (injection.what == kindOrName && --injection.countdown == 0) {
      *status = injection.status;
      return true;
    }
  }
  return false;
}

std::map<std::string, long> &callCounts() { return counts; }

/** A counter times an odd constant, its bits mixed: every seed gives its own sequence. */
uint64_t draw(uint64_t bound) {
  drawState += 0x9E3779B97F4A7C15u;
  uint64_t z = drawState;
  z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
  z = (z ^ (z >> 32)) * 0xD6E8FEB86659FD93u;
  z ^= z >> 32;
  return bound == 0 ? 0 : z % bound;
}

}  // namespace softcuda
