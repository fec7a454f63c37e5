// Rendezvous of a warp's lanes: the state behind shuffles, votes and __syncwarp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "device/abi.h"

namespace softcuda {

/** Lanes that named the same mask and wait for each other. */
struct Meeting {
  uint32_t mask = 0;
  uint32_t arrived = 0;
  const char *what = nullptr;
  int line = 0;
  unsigned long long given[32];
  SoftcudaLanes result;

  /** Hands the values over and empties the meeting, if all of `live` in the mask are there. */
  bool complete(uint32_t live) {
    if (arrived == 0 || (mask & live & ~arrived) != 0) return false;
    for (int lane = 0; lane < 32; lane++) result.values[lane] = given[lane];
    result.arrived = arrived;
    arrived = 0;
    return true;
  }
};

struct Warp {
  uint32_t live = 0;
  std::vector<std::unique_ptr<Meeting>> meetings;

  void reset(uint32_t lanes) {
    live = lanes;
    for (auto &meeting : meetings) meeting->arrived = 0;
  }

  Meeting &meeting(uint32_t mask) {
    for (auto &candidate : meetings) {
      if (candidate->mask == mask) return *candidate;
    }
    meetings.push_back(std::make_unique<Meeting>());
    meetings.back()->mask = mask;
    return *meetings.back();
  }
};

}  // namespace softcuda
