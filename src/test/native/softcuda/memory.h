// Device and pinned memory. Device addresses come from one reserved range and are never used twice; an allocation sits
// flush (to 256 bytes) against a guard page, with the rest of its pages as a red zone:
//
//   | guard page | red zone | bytes, 256-aligned | red zone < 256 | guard page |
//
// Everything starts as 0xFF bytes. Pages become accessible when enqueued work touches them (open), in chunks, and stop
// being so when the work is done (closeAll): mprotect costs time by the page, and most work touches few.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "softcuda.h"

namespace softcuda {

using Address = uint64_t;

struct Allocation {
  Address address;
  uint64_t bytes;
  Address pages;
  uint64_t pageBytes;
  std::string call;
  std::vector<bool> filled;  // chunks that hold the 0xFF bytes, or what was written since
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

  /** Makes the range accessible; it lies in one live allocation. */
  void open(Address address, uint64_t bytes);

  /** Opens what a kernel touched; false if that is no live allocation (or its red zone). Runs in a signal handler. */
  bool openForFault(Address address);

  /** A message if opened work wrote to a red zone, which it mends. */
  std::string damage();

  void closeAll();

  /** Frees all; one leak line each. */
  void releaseAll(const std::string &end);

  uint64_t usedBytes() const { return used_; }

 private:
  void retire(const Allocation &allocation, const std::string &call);
  void openChunks(Allocation &allocation, Address from, Address to);
  std::string damageIn(const Allocation &allocation, Address from, Address to);

  Address next_ = 0;
  Address end_ = 0;
  uint64_t used_ = 0;
  std::map<Address, Allocation> live_;
  std::map<Address, Address> open_;  // chunks: begin to end
  std::set<Address> touched_;        // allocations with open chunks
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
