// Device and pinned memory. Device addresses come from one reserved range and are never used twice; an allocation sits
// flush (to 256 bytes) against a guard page, with the rest of its pages as a red zone:
//
//   | guard page | red zone | bytes, 256-aligned | red zone < 256 | guard page |
//
// Everything starts as 0xFF bytes. The pages are accessible only between unlock() and lock().
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "softcuda.h"

namespace softcuda {

using Address = uint64_t;

struct Allocation {
  Address address;
  uint64_t bytes;
  Address pages;
  uint64_t pageBytes;
  std::string call;
};

class DeviceMemory {
 public:
  /** The address, or 0 when less than `bytes` are free. */
  Address allocate(uint64_t bytes, uint64_t capacityBytes, const char *call);

  /** False when no live allocation starts there. */
  bool release(Address address, const char *call);

  /** The allocation that holds the whole range, or null. */
  const Allocation *find(Address address, uint64_t bytes) const;

  /** What an address that find() does not know is: "freed by cuMemFree_v2", "past the end of ...", "never allocated". */
  std::string describe(Address address) const;

  /** A message for each red zone that something wrote to, and mends it; needs unlocked memory. */
  std::string damage();

  void unlock();
  void lock();

  /** Frees all; one leak line each. */
  void releaseAll(const std::string &end);

  uint64_t usedBytes() const { return used_; }

 private:
  void retire(const Allocation &allocation, const std::string &call);
  std::string damageIn(const Allocation &allocation, Address from, Address to);

  Address next_ = 0;
  Address end_ = 0;
  uint64_t used_ = 0;
  bool unlocked_ = false;
  std::map<Address, Allocation> live_;
  std::map<Address, std::pair<Allocation, std::string>> freed_;
};

/** Page-locked host memory: always accessible while it lives, never after. */
class PinnedMemory {
 public:
  void *allocate(uint64_t bytes, const char *call);
  bool release(void *address, const char *call);

  /** Whether the range lies in one live pinned allocation. */
  bool holds(const void *address, uint64_t bytes) const;
  std::string describe(const void *address) const;
  void releaseAll(const std::string &end);

 private:
  struct Block {
    Address address;
    uint64_t bytes;
    uint64_t mappedBytes;
    std::string call;
  };
  void retire(const Block &block, const std::string &call);

  std::map<Address, Block> live_;
  std::map<Address, std::pair<Block, std::string>> freed_;
};

DeviceMemory &deviceMemory();
PinnedMemory &pinnedMemory();

}  // namespace softcuda
