package convtrain.plan;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.ParameterLayout;
import convtrain.graph.ModelGraph;
import convtrain.graph.Names;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where each tensor of a network lies in a flat buffer, and how it is stored: first the trained
 * weights of more than one dimension, then the trained vectors (biases, batch norm's parameters),
 * then the running statistics. Each starts a multiple of 64 bytes behind the first, and what lies
 * between stays zero.
 */
final class FlatLayout implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  /**
   * One tensor of the network, by its name in files.
   *
   * @param name of the tensor in files
   * @param spec its dimensions
   * @param layout how it is stored
   * @param offset bytes from the start of a flat buffer
   */
  record Place(String name, ParameterSpec spec, ParameterLayout layout, long offset) {
    /** The tensor's part of a flat buffer. */
    DeviceBuffer in(DeviceBuffer flat) {
      return flat.slice(offset, layout.bytes());
    }

    /** The tensor's values in a flat buffer, in PyTorch's order. */
    float[] fetch(DeviceBuffer flat) {
      float[] values = new float[spec.elements()];
      layout.read(in(flat), values);
      return values;
    }

    /**
     * Sets the tensor's values in a flat buffer.
     *
     * @param values in PyTorch's order
     */
    void write(float[] values, DeviceBuffer flat) {
      layout.write(values, in(flat));
    }
  }

  private static final int PARTS = 3;

  private final Map<String, Place> places = new LinkedHashMap<>();
  private final long[] ends = new long[PARTS];

  FlatLayout(ModelGraph graph, OpFactory ops) {
    try {
      for (boolean trainable : new boolean[] {true, false}) {
        for (Node node : graph.nodes()) {
          add(node, trainable, ops);
        }
      }
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
    long offset = 0;
    for (int part = 0; part < PARTS; part++) {
      offset = lay(part, offset);
      ends[part] = offset;
    }
  }

  private void add(Node node, boolean trainable, OpFactory ops) {
    for (ParameterSpec spec : node.parameters()) {
      if (spec.trainable() == trainable) {
        String name = node.tensorName(spec);
        places.put(name, new Place(name, spec, ops.parameterLayout(node, spec), -1));
      }
    }
  }

  private long lay(int part, long start) {
    long offset = start;
    for (Map.Entry<String, Place> entry : places.entrySet()) {
      Place place = entry.getValue();
      if (partOf(place.spec) == part) {
        entry.setValue(new Place(place.name, place.spec, place.layout, offset));
        offset += (place.layout.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
      }
    }
    return offset;
  }

  private static int partOf(ParameterSpec spec) {
    return !spec.trainable() ? 2 : spec.dims().size() > 1 ? 0 : 1;
  }

  /** Size of the trained weights of more than one dimension, which stand first. */
  long weightBytes() {
    return ends[0];
  }

  /** Size of all trained tensors, which stand before the others. */
  long trainedBytes() {
    return ends[1];
  }

  /** Size of a flat buffer of all tensors. */
  long bytes() {
    return ends[2];
  }

  /** All tensors, trained ones first, each kind in the network's order. */
  Collection<Place> places() {
    return places.values();
  }

  /**
   * A tensor's place.
   *
   * @throws IllegalArgumentException naming the nearest tensors if there is none of that name
   */
  Place find(String name) {
    Place place = places.get(name);
    if (place == null) {
      throw new IllegalArgumentException(unknown(name, places.keySet()));
    }
    return place;
  }

  /** Says that there is no such tensor, and which are called almost so. */
  static String unknown(String name, Collection<String> known) {
    List<String> near = Names.nearestFirst(name, known);
    return "%s: this network has no such tensor; nearest: %s"
        .formatted(name, String.join(", ", near.subList(0, Math.min(3, near.size()))));
  }

  Map<String, ParameterLayout> layoutsOf(Node node) {
    Map<String, ParameterLayout> layouts = new LinkedHashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      layouts.put(spec.name(), find(node.tensorName(spec)).layout);
    }
    return layouts;
  }

  /** A layer's tensors in a flat buffer, by their name within the layer. */
  Map<String, DeviceBuffer> slices(Node node, DeviceBuffer flat, boolean trainedOnly) {
    Map<String, DeviceBuffer> slices = new LinkedHashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      if (spec.trainable() || !trainedOnly) {
        slices.put(spec.name(), find(node.tensorName(spec)).in(flat));
      }
    }
    return slices;
  }

  @Override
  public void close() {
    places.values().forEach(place -> place.layout.close());
  }
}
