// Violations, leaks and statistics: one line each on the log; violations on stderr too.
#include "report.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "softcuda.h"

namespace softcuda {
namespace {

struct Resource {
  std::string kind;
  std::string call;
  long serial;
};

// Never destroyed: other threads may still call while the process ends.
auto &resources = *new std::map<const void *, Resource>();
auto &destroyed = *new std::map<const void *, std::string>();
long serials = 0;

}  // namespace

void log(const std::string &line) {
  const char *path = std::getenv("SOFTCUDA_LOG");
  if (path == nullptr) return;
  FILE *file = std::fopen(path, "a");
  if (file == nullptr) return;
  std::fprintf(file, "%s\n", line.c_str());
  std::fclose(file);
}

void violation(const std::string &message) {
  std::fprintf(stderr, "softcuda: violation: %s\n", message.c_str());
  log("violation " + message);
}

void die(const std::string &message) {
  std::fprintf(stderr, "softcuda: %s\n", message.c_str());
  log("died " + message);
  _exit(86);
}

std::string hex(const void *address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", reinterpret_cast<unsigned long long>(address));
  return text;
}

void track(const char *kind, const void *resource, const char *call) {
  destroyed.erase(resource);
  resources[resource] = {kind, call, ++serials};
}

bool isLive(const char *kind, const void *resource) {
  auto found = resources.find(resource);
  return found != resources.end() && found->second.kind == kind;
}

bool checkLive(const char *kind, const void *resource, const char *call) {
  if (isLive(kind, resource)) return true;
  auto dead = destroyed.find(resource);
  std::string why = dead == destroyed.end() ? "never made" : "destroyed by " + dead->second;
  violation(std::string(call) + ": " + kind + " " + hex(resource) + " is not live: " + why);
  return false;
}

bool untrack(const char *kind, const void *resource, const char *call) {
  if (!checkLive(kind, resource, call)) return false;
  resources.erase(resource);
  destroyed[resource] = call;
  return true;
}

void logLeaks(const std::string &end) {
  std::map<long, std::string> lines;
  for (const auto &[resource, made] : resources) {
    lines[made.serial] = "leak " + made.kind + " " + hex(resource) + " made by " + made.call;
    destroyed[resource] = end;
  }
  for (const auto &[serial, line] : lines) log(line);
  resources.clear();
}

}  // namespace softcuda
