// Streams, events, captures and graphs: what the driver's handles point to. Objects are never deleted, so that a handle
// used after its destruction is known for what it is.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "work.h"

namespace softcuda {

struct Capture;

struct Stream {
  bool blocking = false;  // orders itself with the legacy stream
  ItemPtr last;
  Capture *capture = nullptr;
  std::vector<int> tips;  // while captured: nodes that the next one depends on
};

struct Event {
  bool timing = true;
  ItemPtr item;
  Capture *capture = nullptr;  // of the last record, if that was captured
  std::vector<int> tips;
  int notReady = -1;  // NOT_READY answers left; -1: to be drawn
};

struct Node {
  const char *call;
  Work work;
  std::vector<int> before;
  Event *records = nullptr;  // an external event: each launch records it
};

struct Graph {
  std::shared_ptr<std::vector<Node>> nodes = std::make_shared<std::vector<Node>>();
};

struct GraphExec {
  std::shared_ptr<const std::vector<Node>> nodes;
  ItemPtr last;  // launches of one executable graph follow each other
};

enum class CaptureMode { Global = 0, ThreadLocal = 1, Relaxed = 2 };

struct Capture {
  Graph *graph;
  Stream *origin;
  CaptureMode mode;
  std::thread::id thread;
  bool invalid = false;
  bool ended = false;
  std::vector<Stream *> streams;
};

/** The streams of the current context; the legacy stream first. */
std::vector<Stream *> &streams();
Stream &legacyStream();

/** The stream behind a handle, null if there is none. A null handle is the legacy stream. */
Stream *streamOf(const void *handle);

/** What new work of a stream must wait for. */
std::vector<ItemPtr> frontier(const Stream &stream);

/** Orders work at the end of a stream: enqueued, or a node of its capture. Returns a CUresult. */
int enqueueOn(Stream &stream, const char *call, Work work);

int beginCapture(Stream &stream, CaptureMode mode);
int endCapture(Stream &stream, Graph **graph);

/** The streams of any capture that forbids unsafe calls on this thread are invalidated; whether there was one. */
bool refuseUnsafeCall(const char *call);

/** Invalidates the stream's capture with a violation that says why. */
int breakCapture(Capture &capture, int status, const std::string &why);

int recordEvent(Event &event, Stream &stream);

/** Makes the record a node of the stream's capture: from each launch of the graph on, the event can be asked. */
int recordExternalEvent(Event &event, Stream &stream);
int waitEvent(Stream &stream, Event &event);
int launchGraph(GraphExec &exec, Stream &stream);

/** Answers a query: 0, NOT_READY a drawn number of times, or the sticky error. */
int query(const ItemPtr &item, int &notReady);

/** Captures still running; ends them when the context goes. */
std::vector<Capture *> &captures();

}  // namespace softcuda
