// Streams and events outside captures: what waits for what, and queries that say "not yet".
#include "stream.h"

#include <algorithm>

#include "control.h"
#include "report.h"
#include "status.h"

namespace softcuda {

std::vector<Stream *> &streams() {
  static auto *all = new std::vector<Stream *>();
  return *all;
}

Stream &legacyStream() {
  static auto *legacy = new Stream();
  return *legacy;
}

Stream *streamOf(const void *handle) {
  const auto number = reinterpret_cast<uintptr_t>(handle);
  if (number <= 1) return &legacyStream();  // null, or CU_STREAM_LEGACY
  return isLive("stream", handle) ? static_cast<Stream *>(const_cast<void *>(handle)) : nullptr;
}

/** The legacy stream waits for all blocking streams and they for it; non-blocking ones keep to themselves. */
std::vector<ItemPtr> frontier(const Stream &stream) {
  std::vector<ItemPtr> before = {stream.last};
  if (&stream == &legacyStream()) {
    for (const Stream *other : streams()) {
      if (other->blocking) before.push_back(other->last);
    }
  } else if (stream.blocking) {
    before.push_back(legacyStream().last);
  }
  return before;
}

int enqueueOn(Stream &stream, const char *call, Work work) {
  if (&stream == &legacyStream()) {
    for (Capture *capture : captures()) {
      for (const Stream *member : capture->streams) {
        if (member->blocking) {
          return breakCapture(*capture, CaptureImplicit, std::string(call) + " uses the legacy stream");
        }
      }
    }
  }
  if (stream.capture == nullptr) {
    stream.last = scheduler().submit(call, std::move(work), frontier(stream));
    return Success;
  }
  if (stream.capture->invalid) return CaptureInvalidated;
  auto &nodes = *stream.capture->graph->nodes;
  nodes.push_back({call, std::move(work), stream.tips});
  stream.tips = {static_cast<int>(nodes.size()) - 1};
  return Success;
}

int recordEvent(Event &event, Stream &stream) {
  if (stream.capture == nullptr) {
    event.item = scheduler().submit("cuEventRecord", nullptr, frontier(stream));
    event.capture = nullptr;
    event.notReady = -1;
    stream.last = event.item;
    return Success;
  }
  if (stream.capture->invalid) return CaptureInvalidated;
  event.capture = stream.capture;
  event.tips = stream.tips;
  return Success;
}

int recordExternalEvent(Event &event, Stream &stream) {
  if (stream.capture->invalid) return CaptureInvalidated;
  auto &nodes = *stream.capture->graph->nodes;
  nodes.push_back({"cuEventRecordWithFlags", nullptr, stream.tips, &event});
  stream.tips = {static_cast<int>(nodes.size()) - 1};
  return Success;
}

int waitEvent(Stream &stream, Event &event) {
  if (event.capture == nullptr && stream.capture == nullptr) {
    std::vector<ItemPtr> before = frontier(stream);
    before.push_back(event.item);
    stream.last = scheduler().submit("cuStreamWaitEvent", nullptr, before);
    return Success;
  }
  if (event.capture == nullptr) {
    return breakCapture(*stream.capture, CaptureIsolation,
                        "cuStreamWaitEvent on an event that was not recorded in this capture");
  }
  if (event.capture->ended) {
    violation("cuStreamWaitEvent: the event was last recorded in a capture that has ended");
    return CapturedEvent;
  }
  if (stream.capture != nullptr && stream.capture != event.capture) {
    return breakCapture(*stream.capture, CaptureMerge, "cuStreamWaitEvent on an event of another capture");
  }
  if (event.capture->invalid) return CaptureInvalidated;
  if (stream.capture == nullptr) {
    stream.capture = event.capture;
    stream.tips.clear();
    event.capture->streams.push_back(&stream);
  }
  for (int tip : event.tips) {
    if (std::find(stream.tips.begin(), stream.tips.end(), tip) == stream.tips.end()) stream.tips.push_back(tip);
  }
  return Success;
}

int query(const ItemPtr &item, int &notReady) {
  Scheduler &work = scheduler();
  if (work.sticky() != 0 || item == nullptr || item->done) return work.sticky();
  if (notReady < 0) notReady = static_cast<int>(draw(4));
  if (notReady == 0) return work.finish(item);
  notReady--;
  int sticky = work.step(item);
  return sticky != 0 ? sticky : NotReady;
}

}  // namespace softcuda
