package convtrain.backend.cpu.dnnl;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import org.bytedeco.dnnl.dnnl_version_t;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.stream;

/**
 * The CPU engine with its stream, and the descriptors that all ops share.
 *
 * <p>Activations lie in [N, H, W, C] order ({@code acdb}) throughout: no reorder stands between two
 * ops, and the fast implementations of nearly every primitive we use accept it.
 */
public final class Dnnl implements AutoCloseable {
  private final Owned owned = new Owned();
  private final Precision precision;
  private final memory.data_type activations;
  private final engine engine;
  private final stream stream;
  private final primitive_attr attributes;
  private final primitive_attr adding;

  /**
   * @param precision of activations and of what is multiplied with them; fp32 or bf16
   */
  public Dnnl(Precision precision) {
    this.precision = precision;
    activations =
        switch (precision) {
          case FP32 -> memory.data_type.f32;
          case BF16 -> memory.data_type.bf16;
          default ->
              throw new IllegalArgumentException(
                  precision.word() + " is no precision of ours; expected fp32 or bf16");
        };
    engine = owned.add(new engine(org.bytedeco.dnnl.engine.kind.cpu, 0));
    stream = owned.add(new stream(engine));
    attributes = owned.add(new primitive_attr());
    attributes.set_scratchpad_mode(dnnl.dnnl_scratchpad_mode_user);
    adding = owned.add(new primitive_attr());
    adding.set_scratchpad_mode(dnnl.dnnl_scratchpad_mode_user);
    try (post_ops after = new post_ops()) {
      after.append_sum();
      adding.set_post_ops(after);
    }
  }

  /** Whether this processor multiplies bf16 by instructions of its own and oneDNN may use them. */
  public static boolean multipliesBf16() {
    int wanted = dnnl.dnnl_cpu_isa_avx512_core_bf16;
    return (dnnl.dnnl_get_effective_cpu_isa() & wanted) == wanted;
  }

  /** What activations, their gradients and the factors of products are stored as. */
  public Precision precision() {
    return precision;
  }

  /** Whether weights, stored as floats, are rounded before they are multiplied. */
  public boolean roundsWeights() {
    return precision != Precision.FP32;
  }

  public engine engine() {
    return engine;
  }

  public stream stream() {
    return stream;
  }

  /**
   * Attributes of every primitive: scratch memory comes from the plan, so that runs allocate none.
   */
  public primitive_attr attributes() {
    return attributes;
  }

  /** {@link #attributes} of a primitive that adds to what its output holds. */
  primitive_attr adding() {
    return adding;
  }

  /** Descriptor of activations [N, C, H, W] stored as [N, H, W, C]. */
  public memory.desc activation(int batch, Shape shape) {
    return activation(memory.format_tag.acdb, batch, shape);
  }

  /** Descriptor of activations [N, C, H, W] in a layout. */
  public memory.desc activation(memory.format_tag tag, int batch, Shape shape) {
    long[] dims = {batch, shape.channels(), shape.height(), shape.width()};
    return new memory.desc(dims, activations, tag);
  }

  /** Descriptor of activations [N, C, H, W] stored as [N, H, W, C] floats, in every precision. */
  public static memory.desc floats(int batch, Shape shape) {
    return desc(memory.format_tag.acdb, batch, shape.channels(), shape.height(), shape.width());
  }

  /** Descriptor of activations [N, C], row-major. */
  public memory.desc matrix(int batch, int features) {
    return new memory.desc(new long[] {batch, features}, activations, memory.format_tag.ab);
  }

  /** How many elements activations have that are also read by other passes than oneDNN's. */
  public int elements(int batch, Shape shape) {
    int bytes = precision.elementBytes();
    return CpuBuffer.reachable((long) batch * shape.elements() * bytes) / bytes;
  }

  /** Descriptor of activations in whatever order they lie. */
  public memory.desc flat(long elements) {
    return new memory.desc(new long[] {elements}, activations, memory.format_tag.a);
  }

  /** Descriptor of weights as they are multiplied with activations, in any layout. */
  public memory.desc factors(long... dims) {
    return new memory.desc(dims, activations, memory.format_tag.any);
  }

  /** Descriptor of a vector of floats. */
  public static memory.desc vector(int elements) {
    return desc(memory.format_tag.a, elements);
  }

  /** Descriptor of floats whose layout oneDNN may choose. */
  public static memory.desc any(long... dims) {
    return desc(memory.format_tag.any, dims);
  }

  private static memory.desc desc(memory.format_tag tag, long... dims) {
    return new memory.desc(dims, memory.data_type.f32, tag);
  }

  /** Descriptor of floats in row-major order. */
  public static memory.desc rowMajor(long... dims) {
    long[] strides = new long[dims.length];
    long stride = 1;
    for (int i = dims.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= dims[i];
    }
    return new memory.desc(dims, memory.data_type.f32, strides);
  }

  /** Ties a descriptor to memory; execution does not check sizes, so this does. */
  public memory memory(memory.desc desc, DeviceBuffer buffer) {
    if (buffer.bytes() < desc.get_size()) {
      throw new IllegalStateException(
          "a tensor of %d bytes was given %d".formatted(desc.get_size(), buffer.bytes()));
    }
    return new memory(desc, engine, ((CpuBuffer) buffer).pointer());
  }

  /** {@code oneDNN 3.11.0}. */
  public static String version() {
    dnnl_version_t version = dnnl.dnnl_version();
    return "oneDNN %d.%d.%d".formatted(version.major(), version.minor(), version.patch());
  }

  /** A height and a width as oneDNN takes them. */
  public static long[] dims(long h, long w) {
    return new long[] {h, w};
  }

  /** Equal as oneDNN sees it: {@code Object.equals} would compare addresses. */
  public static boolean same(memory.desc a, memory.desc b) {
    return a.equals(b);
  }

  @Override
  public void close() {
    owned.close();
  }
}
