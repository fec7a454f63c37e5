// Stream, event and graph entry points.
#include "call.h"
#include "report.h"
#include "stream.h"

namespace softcuda {
namespace {

int checkStream(const Call &call, CUstream handle, Stream **stream) {
  *stream = streamOf(handle);
  if (*stream != nullptr) return Success;
  checkLive("stream", handle, call.name());
  return InvalidHandle;
}

template <class T>
int checkHandle(const Call &call, const char *kind, T *handle) {
  return checkLive(kind, handle, call.name()) ? Success : InvalidHandle;
}

/** A question or wait that an event recorded in a capture cannot answer. */
int refuseCaptured(const Call &call, const Event &event) {
  if (event.capture == nullptr) return Success;
  if (!event.capture->ended) event.capture->invalid = true;
  return call.refuse(CapturedEvent, "the event was last recorded in a capture");
}

}  // namespace
}  // namespace softcuda

using namespace softcuda;

extern "C" {

SOFTCUDA_API int cuStreamCreate(Stream **made, unsigned flags) {
  Call call("cuStreamCreate", Needs::Context, "stream");
  if (call.error() != 0) return call.error();
  if (flags > 1) return call.refuse(InvalidValue, "unknown flags");
  *made = new Stream();
  (*made)->blocking = flags == 0;
  streams().push_back(*made);
  track("stream", *made, call.name());
  return Success;
}

SOFTCUDA_API int cuStreamDestroy_v2(Stream *stream) {
  Call call("cuStreamDestroy_v2", Needs::Destruction);
  if (call.error() != 0) return call.error();
  if (!untrack("stream", stream, call.name())) return InvalidHandle;
  if (stream->capture != nullptr) breakCapture(*stream->capture, CaptureInvalidated, "a captured stream is destroyed");
  return call.result(Success);
}

SOFTCUDA_API int cuStreamSynchronize(CUstream handle) {
  Call call("cuStreamSynchronize", Needs::Context);
  Stream *stream;
  if (call.error() != 0) return call.error();
  int problem = checkStream(call, handle, &stream);
  return problem != 0 ? problem : synchronize(handle);
}

SOFTCUDA_API int cuStreamWaitEvent(CUstream handle, Event *event, unsigned flags) {
  Call call("cuStreamWaitEvent", Needs::Context);
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkHandle(call, "event", event);
  if (problem == 0 && flags != 0) problem = call.refuse(InvalidValue, "flags must be 0");
  return problem != 0 ? problem : waitEvent(*stream, *event);
}

SOFTCUDA_API int cuEventCreate(Event **made, unsigned flags) {
  Call call("cuEventCreate", Needs::Context, "event");
  if (call.error() != 0) return call.error();
  if (flags > 3) return call.refuse(InvalidValue, "unknown flags");
  *made = new Event();
  (*made)->timing = (flags & 2) == 0;
  track("event", *made, call.name());
  return Success;
}

SOFTCUDA_API int cuEventDestroy_v2(Event *event) {
  Call call("cuEventDestroy_v2", Needs::Destruction);
  if (call.error() != 0) return call.error();
  return untrack("event", event, call.name()) ? call.result(Success) : InvalidHandle;
}

SOFTCUDA_API int cuEventRecord(Event *event, CUstream handle) {
  Call call("cuEventRecord", Needs::Context);
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkHandle(call, "event", event);
  return problem != 0 ? problem : recordEvent(*event, *stream);
}

SOFTCUDA_API int cuEventRecordWithFlags(Event *event, CUstream handle, unsigned flags) {
  Call call("cuEventRecordWithFlags", Needs::Context);
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkHandle(call, "event", event);
  if (problem == 0 && flags > 1) problem = call.refuse(InvalidValue, "unknown flags");
  if (problem == 0 && flags == 1 && stream->capture == nullptr) {
    problem = call.refuse(InvalidValue, "an external event outside of a capture");
  }
  if (problem != 0) return problem;
  return flags == 1 ? recordExternalEvent(*event, *stream) : recordEvent(*event, *stream);
}

SOFTCUDA_API int cuEventSynchronize(Event *event) {
  Call call("cuEventSynchronize", Needs::Context, "", true);
  if (call.error() != 0) return call.error();
  int problem = checkHandle(call, "event", event);
  if (problem == 0) problem = refuseCaptured(call, *event);
  return problem != 0 || event->item == nullptr ? problem : scheduler().finish(event->item);
}

SOFTCUDA_API int cuEventQuery(Event *event) {
  Call call("cuEventQuery", Needs::Context, "", true);
  if (call.error() != 0) return call.error();
  int problem = checkHandle(call, "event", event);
  if (problem == 0) problem = refuseCaptured(call, *event);
  return problem != 0 ? problem : query(event->item, event->notReady);
}

SOFTCUDA_API int cuEventElapsedTime(float *millis, Event *start, Event *end) {
  Call call("cuEventElapsedTime", Needs::Context, "", true);
  if (call.error() != 0) return call.error();
  for (Event *event : {start, end}) {
    int problem = checkHandle(call, "event", event);
    if (problem == 0) problem = refuseCaptured(call, *event);
    if (problem == 0 && (!event->timing || event->item == nullptr)) {
      problem = call.refuse(InvalidHandle, "an event without timing, or never recorded");
    }
    if (problem != 0) return problem;
    if (!event->item->done) return NotReady;
  }
  *millis = static_cast<float>(static_cast<double>(end->item->clock) - static_cast<double>(start->item->clock)) * 1e-6f;
  return Success;
}

SOFTCUDA_API int cuStreamBeginCapture_v2(CUstream handle, int mode) {
  Call call("cuStreamBeginCapture_v2", Needs::Context, "graph");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0 && (mode < 0 || mode > 2)) problem = call.refuse(InvalidValue, "unknown mode");
  return problem != 0 ? problem : beginCapture(*stream, static_cast<CaptureMode>(mode));
}

SOFTCUDA_API int cuStreamEndCapture(CUstream handle, Graph **graph) {
  Call call("cuStreamEndCapture", Needs::Context, "graph");
  Stream *stream = streamOf(handle);
  if (call.error() != 0) {  // whatever the reason, nothing is captured from here on
    if (stream != nullptr && stream->capture != nullptr) endCapture(*stream, graph);
    *graph = nullptr;
    return call.error();
  }
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = endCapture(*stream, graph);
  if (problem == 0) track("graph", *graph, call.name());
  return problem;
}

/** 0: not captured, 1: captured, 2: by a capture that an error has ended. */
SOFTCUDA_API int cuStreamIsCapturing(CUstream handle, int *status) {
  Call call("cuStreamIsCapturing", Needs::Context);
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) *status = stream->capture == nullptr ? 0 : stream->capture->invalid ? 2 : 1;
  return problem;
}

SOFTCUDA_API int cuGraphInstantiateWithFlags(GraphExec **exec, Graph *graph, unsigned long long flags) {
  Call call("cuGraphInstantiateWithFlags", Needs::Context, "graph");
  if (call.error() != 0) return call.error();
  int problem = checkHandle(call, "graph", graph);
  if (problem == 0 && flags != 0) problem = call.refuse(InvalidValue, "the software device knows no flags here");
  if (problem != 0) return problem;
  *exec = new GraphExec();
  (*exec)->nodes = graph->nodes;
  track("graph exec", *exec, call.name());
  return Success;
}

SOFTCUDA_API int cuGraphLaunch(GraphExec *exec, CUstream handle) {
  Call call("cuGraphLaunch", Needs::Context, "launch");
  if (call.error() != 0) return call.error();
  Stream *stream;
  int problem = checkStream(call, handle, &stream);
  if (problem == 0) problem = checkHandle(call, "graph exec", exec);
  return problem != 0 ? problem : launchGraph(*exec, *stream);
}

SOFTCUDA_API int cuGraphExecDestroy(GraphExec *exec) {
  Call call("cuGraphExecDestroy", Needs::Destruction);
  if (call.error() != 0) return call.error();
  if (!untrack("graph exec", exec, call.name())) return InvalidHandle;
  exec->nodes.reset();
  return call.result(Success);
}

SOFTCUDA_API int cuGraphDestroy(Graph *graph) {
  Call call("cuGraphDestroy", Needs::Destruction);
  if (call.error() != 0) return call.error();
  if (!untrack("graph", graph, call.name())) return InvalidHandle;
  graph->nodes.reset();
  return call.result(Success);
}

/** The handles are the nodes' numbers, counted from 1: no call takes them. */
SOFTCUDA_API int cuGraphGetNodes(Graph *graph, void **nodes, size_t *count) {
  Call call("cuGraphGetNodes", Needs::Context);
  if (call.error() != 0) return call.error();
  int problem = checkHandle(call, "graph", graph);
  if (problem != 0) return problem;
  if (nodes != nullptr) {
    for (size_t i = 0; i < *count; i++) nodes[i] = i < graph->nodes->size() ? reinterpret_cast<void *>(i + 1) : nullptr;
  }
  if (nodes == nullptr || *count > graph->nodes->size()) *count = graph->nodes->size();
  return Success;
}
}
