// Stream capture and graphs. A capture turns what streams would do into nodes with the same dependencies; a launch
// enqueues them anew.
#include <algorithm>

#include "report.h"
#include "status.h"
#include "stream.h"

namespace softcuda {
namespace {

/** Leaves the streams as they were before the capture. */
void detach(Capture &capture) {
  for (Stream *stream : capture.streams) {
    stream->capture = nullptr;
    stream->tips.clear();
  }
  capture.ended = true;
  auto &all = captures();
  all.erase(std::find(all.begin(), all.end(), &capture));
}

/** Whether each node leads to one that the origin's next node would depend on. */
bool joined(const Capture &capture) {
  const auto &nodes = *capture.graph->nodes;
  std::vector<bool> reached(nodes.size(), false);
  for (int tip : capture.origin->tips) reached[static_cast<size_t>(tip)] = true;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!reached[i]) return false;
    for (int before : nodes[i].before) reached[static_cast<size_t>(before)] = true;
  }
  return true;
}

}  // namespace

std::vector<Capture *> &captures() {
  static auto *all = new std::vector<Capture *>();
  return *all;
}

int breakCapture(Capture &capture, int status, const std::string &why) {
  violation("capture: " + why);
  capture.invalid = true;
  return status;
}

bool refuseUnsafeCall(const char *call) {
  bool refused = false;
  for (Capture *capture : captures()) {
    bool applies = capture->mode == CaptureMode::Global ||
                   (capture->mode == CaptureMode::ThreadLocal && capture->thread == std::this_thread::get_id());
    if (!applies) continue;
    breakCapture(*capture, CaptureUnsupported, std::string(call) + " may not be called while a stream is captured");
    refused = true;
  }
  return refused;
}

int beginCapture(Stream &stream, CaptureMode mode) {
  if (&stream == &legacyStream()) {
    violation("cuStreamBeginCapture: the legacy stream cannot be captured");
    return CaptureUnsupported;
  }
  if (stream.capture != nullptr) {
    violation("cuStreamBeginCapture: the stream is being captured already");
    return InvalidValue;
  }
  auto *capture = new Capture();
  capture->graph = new Graph();
  capture->origin = &stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->streams = {&stream};
  captures().push_back(capture);
  stream.capture = capture;
  stream.tips.clear();
  return Success;
}

int endCapture(Stream &stream, Graph **graph) {
  *graph = nullptr;
  Capture *capture = stream.capture;
  if (capture == nullptr) {
    violation("cuStreamEndCapture: the stream is not being captured");
    return InvalidValue;
  }
  if (capture->origin != &stream) {
    return breakCapture(*capture, CaptureUnmatched, "ended in a stream that it did not begin in");
  }
  if (capture->mode != CaptureMode::Relaxed && capture->thread != std::this_thread::get_id()) {
    return breakCapture(*capture, CaptureWrongThread, "ended by another thread than began it");
  }
  int status = capture->invalid ? CaptureInvalidated : Success;
  if (status == Success && !joined(*capture)) {
    violation("capture: ended while a stream that forked from it has work that did not join again");
    status = CaptureUnjoined;
  }
  detach(*capture);
  if (status == Success) *graph = capture->graph;
  return status;
}

int launchGraph(GraphExec &exec, Stream &stream) {
  if (stream.capture != nullptr) {
    return breakCapture(*stream.capture, CaptureUnsupported, "the software device does not nest graphs");
  }
  for (const Node &node : *exec.nodes) {
    if (node.records != nullptr && !checkLive("event", node.records, "cuGraphLaunch")) return InvalidHandle;
  }
  std::vector<ItemPtr> roots = frontier(stream);
  roots.push_back(exec.last);
  std::vector<ItemPtr> items;
  std::vector<ItemPtr> leaves = roots;
  for (const Node &node : *exec.nodes) {
    std::vector<ItemPtr> before;
    for (int i : node.before) before.push_back(items[static_cast<size_t>(i)]);
    items.push_back(scheduler().submit(node.call, node.work, before.empty() ? roots : before));
    leaves.push_back(items.back());
    if (node.records == nullptr) continue;
    node.records->item = items.back();
    node.records->capture = nullptr;
    node.records->notReady = -1;
  }
  stream.last = scheduler().submit("cuGraphLaunch", nullptr, leaves);
  exec.last = stream.last;
  return Success;
}

}  // namespace softcuda
