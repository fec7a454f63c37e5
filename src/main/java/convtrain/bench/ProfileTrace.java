package convtrain.bench;

import convtrain.bench.ProfileTimeline.Op;
import convtrain.bench.ProfileTimeline.Span;
import convtrain.bench.ProfileTimeline.Step;
import convtrain.report.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Measured steps as trace events, the JSON that Chrome's tracing and Perfetto read: one track of
 * the host, with what brings batches and each step, and one of the device, with each op of the
 * steps in which moments were marked. Phases are the ops' categories; ts and dur are microseconds.
 */
public final class ProfileTrace {
  private static final int PROCESS = 1;
  private static final int HOST = 1;
  private static final int DEVICE = 2;
  private static final double NANOS_PER_MICRO = 1e3;

  /**
   * An event of the format.
   *
   * @param ph X: with a duration; M: a name of a track
   */
  private record Event(
      String name,
      String cat,
      String ph,
      Double ts,
      Double dur,
      int pid,
      int tid,
      Map<String, Object> args) {}

  private final List<Event> events = new ArrayList<>();

  ProfileTrace(String run, String device, ProfileTimeline timeline) {
    name("process_name", HOST, "convtrain profile of " + run);
    name("thread_name", HOST, "host");
    name("thread_name", DEVICE, device);
    for (int i = 0; i < timeline.steps().size(); i++) {
      add(i + 1, timeline.steps().get(i), timeline.ops());
    }
  }

  private void name(String what, int track, String name) {
    events.add(new Event(what, null, "M", null, null, PROCESS, track, Map.of("name", name)));
  }

  private void add(int number, Step step, List<Op> ops) {
    span("batch", "feed", HOST, step.plainFeed(), Map.of("step", number));
    span("step", "step", HOST, step.plain(), Map.of("step", number));
    span("batch", "feed", HOST, step.timedFeed(), Map.of("step", number));
    span("step, timed", "step", HOST, step.timed(), Map.of("step", number));
    for (int i = 0; i < ops.size(); i++) {
      Op op = ops.get(i);
      Span span =
          Span.between(
              step.timed().start() + step.marks()[i], step.timed().start() + step.marks()[i + 1]);
      span(op.name(), op.phase(), DEVICE, span, Map.of("kind", op.kind(), "step", number));
    }
  }

  private void span(String name, String category, int track, Span span, Map<String, Object> args) {
    double start = span.start() / NANOS_PER_MICRO;
    double micros = span.nanos() / NANOS_PER_MICRO;
    events.add(new Event(name, category, "X", start, micros, PROCESS, track, args));
  }

  /** The file's text; its keys are the format's, which are not in snake_case. */
  public String toJson() {
    Map<String, Object> file = new LinkedHashMap<>();
    file.put("traceEvents", events);
    file.put("displayTimeUnit", "ms");
    return Json.line(file) + "\n";
  }
}
