// Allocation, guards, red zones and the device's address range.
#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "report.h"
#include "sanitizer.h"

namespace softcuda {
namespace {

constexpr uint64_t pageBytes = 4096;
constexpr uint64_t alignment = 256;
constexpr uint64_t chunkBytes = uint64_t{2} << 20;  // a large page: rights of 256 MB change in 0.03 ms, not in 90
constexpr uint64_t rangeBytes = uint64_t{1} << 43;
constexpr unsigned char poison = 0xFF;

uint64_t roundUp(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

void *pointer(Address address) { return reinterpret_cast<void *>(address); }

void protect(Address address, uint64_t bytes, int access) {
  if (mprotect(pointer(address), bytes, access) != 0) die("mprotect failed: out of memory maps?");
}

/** The first byte that is no longer poison, or null. It runs after each piece of work: memcmp is the quick answer. */
const unsigned char *firstDamage(const unsigned char *from, const unsigned char *to) {
  static const std::vector<unsigned char> intact(alignment, poison);
  if (std::memcmp(from, intact.data(), static_cast<size_t>(to - from)) == 0) return nullptr;
  for (; from < to; from++) {
    if (*from != poison) return from;
  }
  return nullptr;
}

Address chunkOf(const Allocation &allocation, Address address) {
  return allocation.pages + (address - allocation.pages) / chunkBytes * chunkBytes;
}

/** Red zones are filled too, which AddressSanitizer's memset would report. */
__attribute__((no_sanitize("address"))) void fillPoison(Address from, Address to) {
  if (!sanitized) {
    std::memset(pointer(from), poison, to - from);
    return;
  }
  auto *end = static_cast<volatile unsigned char *>(pointer(to));
  for (auto *p = static_cast<volatile unsigned char *>(pointer(from)); p < end; p++) *p = poison;
}

}  // namespace

Address DeviceMemory::allocate(uint64_t bytes, uint64_t capacityBytes, const char *call) {
  if (used_ + bytes > capacityBytes || used_ + bytes < used_) return 0;
  if (next_ == 0) {
    void *range = mmap(nullptr, rangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) die("cannot reserve the device's address range");
    next_ = reinterpret_cast<Address>(range);
    end_ = next_ + rangeBytes;
  }
  Allocation made;
  made.bytes = bytes;
  made.pageBytes = roundUp(roundUp(bytes, alignment), pageBytes);
  made.pages = made.pageBytes < chunkBytes ? next_ + pageBytes : roundUp(next_ + pageBytes, chunkBytes);
  made.address = made.pages + made.pageBytes - roundUp(bytes, alignment);
  made.call = call;
  next_ = made.pages + made.pageBytes;
  if (next_ + pageBytes > end_) die("the device's address range is used up: too much was allocated in one process");
  if (made.pageBytes >= chunkBytes) madvise(pointer(made.pages), made.pageBytes, MADV_HUGEPAGE);
  made.filled.resize((made.pageBytes + chunkBytes - 1) / chunkBytes);
  poisonShadow(made.pages, made.address - made.pages);
  poisonShadow(made.address + bytes, made.pages + made.pageBytes - made.address - bytes);
  used_ += bytes;
  live_[made.address] = made;
  return made.address;
}

void DeviceMemory::retire(const Allocation &allocation, const std::string &call) {
  protect(allocation.pages, allocation.pageBytes, PROT_NONE);
  madvise(pointer(allocation.pages), allocation.pageBytes, MADV_DONTNEED);
  poisonShadow(allocation.pages, allocation.pageBytes);
  used_ -= allocation.bytes;
  freed_[allocation.address] = {allocation, call};
}

bool DeviceMemory::release(Address address, const char *call) {
  auto found = live_.find(address);
  if (found == live_.end()) return false;
  retire(found->second, call);
  live_.erase(found);
  return true;
}

const Allocation *DeviceMemory::find(Address address, uint64_t bytes) const {
  auto after = live_.upper_bound(address);
  if (after == live_.begin()) return nullptr;
  const Allocation &candidate = std::prev(after)->second;
  uint64_t offset = address - candidate.address;
  return offset <= candidate.bytes && bytes <= candidate.bytes - offset ? &candidate : nullptr;
}

std::string DeviceMemory::describe(Address address) const {
  auto after = live_.upper_bound(address);
  if (after != live_.begin()) {
    const Allocation &below = std::prev(after)->second;
    if (address < below.pages + below.pageBytes + pageBytes) {
      return "byte " + std::to_string(address - below.address) + " of the " + std::to_string(below.bytes) +
             " bytes that " + below.call + " allocated at " + hex(pointer(below.address));
    }
  }
  if (after != live_.end() && address >= after->second.pages - pageBytes) {
    return std::to_string(after->second.address - address) + " bytes before the allocation of " +
           std::to_string(after->second.bytes) + " bytes at " + hex(pointer(after->second.address));
  }
  auto dead = freed_.upper_bound(address);
  if (dead != freed_.begin()) {
    const auto &[allocation, call] = std::prev(dead)->second;
    if (address <= allocation.pages + allocation.pageBytes) {
      return "in the " + std::to_string(allocation.bytes) + " bytes that " + call + " freed";
    }
  }
  return address >= next_ || address < end_ - rangeBytes ? "not a device address" : "never allocated";
}

std::string DeviceMemory::damageIn(const Allocation &allocation, Address from, Address to) {
  if (from == to || open_.count(chunkOf(allocation, from)) == 0 || open_.count(chunkOf(allocation, to - 1)) == 0) return "";
  auto *begin = static_cast<unsigned char *>(pointer(from));
  auto *end = static_cast<unsigned char *>(pointer(to));
  const unsigned char *hit = firstDamage(begin, end);
  if (hit == nullptr) return "";
  std::memset(begin, poison, static_cast<size_t>(end - begin));
  return "wrote outside an allocation: " + describe(reinterpret_cast<Address>(hit)) +
         (hit < pointer(allocation.address) ? " (before its start)" : " (past its end)");
}

void DeviceMemory::openChunks(Allocation &allocation, Address from, Address to) {
  for (uint64_t i = (from - allocation.pages) / chunkBytes; i * chunkBytes < to - allocation.pages; i++) {
    Address begin = allocation.pages + i * chunkBytes;
    Address end = std::min(begin + chunkBytes, allocation.pages + allocation.pageBytes);
    if (!open_.emplace(begin, end).second) continue;
    protect(begin, end - begin, PROT_READ | PROT_WRITE);
    if (allocation.filled[i]) continue;
    fillPoison(begin, end);
    allocation.filled[i] = true;
  }
  touched_.insert(allocation.address);
}

void DeviceMemory::open(Address address, uint64_t bytes) {
  auto after = live_.upper_bound(address);
  if (bytes > 0) openChunks(std::prev(after)->second, address, address + bytes);
}

bool DeviceMemory::openForFault(Address address) {
  auto candidate = live_.upper_bound(address);  // the red zone before an allocation is its own
  bool before = candidate != live_.end() && address >= candidate->second.pages;
  if (!before && candidate == live_.begin()) return false;
  Allocation &allocation = before ? candidate->second : std::prev(candidate)->second;
  bool inside = address < allocation.pages + allocation.pageBytes;
  if (!inside || open_.count(chunkOf(allocation, address)) != 0) return false;
  openChunks(allocation, address, address + 1);
  return true;
}

/** The whole tail, and the last 256 bytes before the start: a farther write would be far out of bounds. */
std::string DeviceMemory::damage() {
  if (sanitized) return "";
  std::string found;
  for (Address address : touched_) {
    const Allocation &allocation = live_.at(address);
    Address before = std::max(allocation.pages, address - alignment);
    std::string text = damageIn(allocation, before, address);
    if (text.empty()) text = damageIn(allocation, address + allocation.bytes, allocation.pages + allocation.pageBytes);
    if (found.empty()) found = text;
  }
  return found;
}

void DeviceMemory::closeAll() {
  for (auto chunk = open_.begin(); chunk != open_.end();) {
    Address begin = chunk->first;
    Address end = begin;
    for (; chunk != open_.end() && chunk->first == end; ++chunk) end = chunk->second;
    protect(begin, end - begin, PROT_NONE);
  }
  open_.clear();
  touched_.clear();
}

void DeviceMemory::releaseAll(const std::string &end) {
  for (const auto &[address, allocation] : live_) {
    log("leak device memory " + hex(pointer(address)) + " of " + std::to_string(allocation.bytes) + " bytes made by " +
        allocation.call);
    retire(allocation, end);
  }
  live_.clear();
}

void *PinnedMemory::allocate(uint64_t bytes, const char *call) {
  uint64_t mapped = roundUp(bytes, pageBytes) + pageBytes;
  void *memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  std::memset(memory, poison, mapped - pageBytes);
  auto address = reinterpret_cast<Address>(memory);
  protect(address + mapped - pageBytes, pageBytes, PROT_NONE);
  live_[address] = {address, bytes, mapped, call};
  return memory;
}

void PinnedMemory::retire(const Block &block, const std::string &call) {
  protect(block.address, block.mappedBytes, PROT_NONE);
  madvise(pointer(block.address), block.mappedBytes, MADV_DONTNEED);
  freed_[block.address] = {block, call};
}

bool PinnedMemory::release(void *address, const char *call) {
  auto found = live_.find(reinterpret_cast<Address>(address));
  if (found == live_.end()) return false;
  retire(found->second, call);
  live_.erase(found);
  return true;
}

bool PinnedMemory::holds(const void *address, uint64_t bytes) const {
  auto after = live_.upper_bound(reinterpret_cast<Address>(address));
  if (after == live_.begin()) return false;
  const Block &block = std::prev(after)->second;
  uint64_t offset = reinterpret_cast<Address>(address) - block.address;
  return offset <= block.bytes && bytes <= block.bytes - offset;
}

std::string PinnedMemory::describe(const void *address) const {
  auto after = live_.upper_bound(reinterpret_cast<Address>(address));
  if (after != live_.begin()) {
    const Block &block = std::prev(after)->second;
    if (reinterpret_cast<Address>(address) < block.address + block.mappedBytes) {
      return "in the " + std::to_string(block.bytes) + " pinned bytes at " + hex(pointer(block.address));
    }
  }
  auto dead = freed_.upper_bound(reinterpret_cast<Address>(address));
  if (dead != freed_.begin()) {
    const auto &[block, call] = std::prev(dead)->second;
    if (reinterpret_cast<Address>(address) < block.address + block.mappedBytes) return "pinned memory that " + call + " freed";
  }
  return "pageable memory";
}

void PinnedMemory::releaseAll(const std::string &end) {
  for (const auto &[address, block] : live_) {
    log("leak pinned memory " + hex(pointer(address)) + " of " + std::to_string(block.bytes) + " bytes made by " +
        block.call);
    retire(block, end);
  }
  live_.clear();
}

DeviceMemory &deviceMemory() {
  static auto *memory = new DeviceMemory();
  return *memory;
}

PinnedMemory &pinnedMemory() {
  static auto *memory = new PinnedMemory();
  return *memory;
}

}  // namespace softcuda
