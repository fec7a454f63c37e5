package convtrain.plan;

import convtrain.backend.OpFactory;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.plan.ArenaPlanner.Storage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * How long each tensor of a step lives, and so where in the arena it lies.
 *
 * <p>A tensor lives from the op that writes it to the last that reads it; backward passes read only
 * what they say they read, so activations that nobody needs again share memory. Where an op may
 * work in place and nobody else needs its input, output and input are one storage. A tensor read by
 * several layers gets one gradient from each and one for their sum.
 *
 * <p>Positions of the step, with G groups: staging 0, forward of group g at 1 + g, loss G + 1,
 * backward of group g at 2 G + 1 - g (its gradient sum, if any, just before).
 */
final class Placement {
  private final ModelGraph graph;
  private final int result;
  private final List<Group> groups;
  private final int batchSize;
  private final Precision precision;
  private final boolean training;
  private final ArenaPlanner planner;
  private final Map<Integer, Group> writers = new HashMap<>();
  private final Map<Integer, List<Group>> readers = new HashMap<>();
  private final Map<Integer, Storage> values = new HashMap<>();
  private final Map<Integer, Storage> gradients = new HashMap<>();
  private final Map<Group, List<Storage>> inputGradients = new HashMap<>();
  private final Map<Group, Storage> saved = new HashMap<>();
  private final Storage scratch;
  private final Storage labels;
  private final Storage staged;
  private final Storage targets;
  private final long arenaBytes;

  /**
   * @param result the tensor that the loss works on
   */
  Placement(
      ModelGraph graph, int result, List<Group> groups, PlanOptions options, OpFactory factory) {
    planner = new ArenaPlanner(factory.sharesMemoryBySize());
    this.graph = graph;
    this.result = result;
    this.groups = groups;
    batchSize = options.batchSize();
    precision = factory.precision();
    training = options.training();
    for (Group group : groups) {
      writers.put(group.output(), group);
      for (int x : group.head().inputs()) {
        readers.computeIfAbsent(x, key -> new ArrayList<>()).add(group);
      }
    }
    placeValues();
    if (training) {
      placeGradients();
    }
    scratch = planner.add(placeSavedAndFindScratch(), 0, end());
    labels = planner.add((long) batchSize * Integer.BYTES, 0, lossAt());
    staged = options.mixes() ? planner.add(bytesOf(Node.INPUT), 0, 0) : null;
    targets = options.mixes() ? planner.add(targetBytes(), 0, lossAt()) : null;
    arenaBytes = planner.place();
  }

  long arenaBytes() {
    return arenaBytes;
  }

  /** Where a tensor lies; {@link Node#INPUT} is the network's input. */
  Storage value(int tensor) {
    return values.get(tensor);
  }

  /** Where a tensor's whole gradient lies, or null if it has none. */
  Storage gradient(int tensor) {
    return gradients.get(tensor);
  }

  /** Where an op writes the gradient of its i-th input, or null if nobody needs it. */
  Storage inputGradient(Group group, int i) {
    List<Storage> places = inputGradients.get(group);
    return places == null ? null : places.get(i);
  }

  /** What an op keeps from forward to backward, or null. */
  Storage saved(Group group) {
    return saved.get(group);
  }

  Storage scratch() {
    return scratch;
  }

  Storage labels() {
    return labels;
  }

  /** Where samples wait to be mixed, or null. */
  Storage staged() {
    return staged;
  }

  /** Where mixed targets lie, floats, or null. */
  Storage targets() {
    return targets;
  }

  long targetBytes() {
    return Math.multiplyExact(
        (long) batchSize * Float.BYTES, (long) graph.shapeOf(result).elements());
  }

  /** Whether several layers' gradients of a tensor have to be added up. */
  boolean needsSum(int tensor) {
    return readers.getOrDefault(tensor, List.of()).size() > 1;
  }

  /** The gradients that a tensor's readers write: each reader, and each of its inputs, once. */
  List<Storage> parts(int tensor) {
    List<Storage> parts = new ArrayList<>();
    for (Group reader : readers.get(tensor).stream().distinct().toList()) {
      for (int i = 0; i < reader.head().inputs().size(); i++) {
        if (reader.head().inputs().get(i) == tensor) {
          parts.add(inputGradients.get(reader).get(i));
        }
      }
    }
    return parts;
  }

  /** Bytes of a tensor of the whole batch. */
  long bytesOf(int tensor) {
    return Math.multiplyExact(
        (long) batchSize * precision.elementBytes(), (long) graph.shapeOf(tensor).elements());
  }

  /** Bytes of a layer's output, its gradient and what it keeps for the backward pass. */
  long bytesOf(Group group) {
    Storage gradient = gradient(group.output());
    Storage kept = saved(group);
    return value(group.output()).bytes()
        + (gradient == null ? 0 : gradient.bytes())
        + (kept == null ? 0 : kept.bytes());
  }

  private static int forwardAt(Group group) {
    return 1 + group.position();
  }

  private int lossAt() {
    return groups.size() + 1;
  }

  private int backwardAt(Group group) {
    return 2 * groups.size() + 1 - group.position();
  }

  private int end() {
    return 2 * groups.size() + 2;
  }

  private long placeSavedAndFindScratch() {
    long scratchBytes = 1;
    for (Group group : groups) {
      scratchBytes = Math.max(scratchBytes, group.op().needs().scratchBytes());
      long savedBytes = group.op().needs().savedBytes();
      if (savedBytes > 0) {
        int last = training ? backwardAt(group) : forwardAt(group);
        saved.put(group, planner.add(savedBytes, forwardAt(group), last));
      }
    }
    return scratchBytes;
  }

  private void placeValues() {
    values.put(Node.INPUT, planner.add(bytesOf(Node.INPUT), 0, 0));
    for (Group group : groups) {
      int x = group.head().inputs().get(0);
      int now = forwardAt(group);
      if (mayOverwrite(group, x)) {
        values.put(group.output(), values.get(x));
        values.get(x).liveAt(now);
      } else {
        values.put(group.output(), planner.add(bytesOf(group.output()), now, now));
      }
    }
    for (Group group : groups) {
      group.head().inputs().forEach(x -> values.get(x).liveAt(forwardAt(group)));
      if (training) {
        keepForBackward(group);
      }
    }
    values.get(result).liveAt(end());
  }

  private void keepForBackward(Group group) {
    if (group.op().backwardReads().input()) {
      group.head().inputs().forEach(x -> values.get(x).liveAt(backwardAt(group)));
    }
    if (group.op().backwardReads().output()) {
      values.get(group.output()).liveAt(backwardAt(group));
    }
  }

  private boolean mayOverwrite(Group group, int x) {
    Group writer = writers.get(x);
    boolean neededLater =
        training
            && (writer != null && writer.op().backwardReads().output()
                || group.op().backwardReads().input());
    return group.op().forwardInPlace() && readers.get(x).size() == 1 && !neededLater;
  }

  /** From the loss back to the first layer that needs a gradient. */
  private void placeGradients() {
    Group last = writers.get(result);
    if (last.needsGradient()) {
      gradients.put(result, planner.add(bytesOf(result), lossAt(), backwardAt(last)));
    }
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      if (group.needsGradient()) {
        placeSum(group);
        placeInputGradients(group);
      }
    }
  }

  private void placeSum(Group group) {
    if (needsSum(group.output())) {
      int now = backwardAt(group);
      parts(group.output()).forEach(part -> part.liveAt(now));
      gradients.put(group.output(), planner.add(bytesOf(group.output()), now, now));
    }
  }

  private void placeInputGradients(Group group) {
    int now = backwardAt(group);
    List<Storage> places = new ArrayList<>();
    for (int x : group.head().inputs()) {
      Group writer = writers.get(x);
      if (writer == null || !writer.needsGradient()) {
        places.add(null);
        continue;
      }
      boolean inPlace = group.head().inputs().size() == 1 && group.op().backwardInPlace();
      Storage dx = inPlace ? gradients.get(group.output()) : planner.add(bytesOf(x), now, now);
      if (!needsSum(x)) {
        dx.liveAt(backwardAt(writer));
        gradients.put(x, dx);
      }
      places.add(dx);
    }
    inputGradients.put(group, places);
  }
}
