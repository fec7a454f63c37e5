package convtrain.backend.cpu.dnnl;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.graph.Shape;
import org.bytedeco.dnnl.dnnl_version_t;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.stream;

/**
 * The CPU engine with its stream, and the descriptors that all ops share.
 *
 * <p>Activations lie in [N, H, W, C] order ({@code acdb}) throughout: no reorder stands between two
 * ops, and the fast implementations of every primitive we use accept it.
 */
public final class Dnnl implements AutoCloseable {
  private final Owned owned = new Owned();
  private final engine engine;
  private final stream stream;
  private final primitive_attr attributes;

  public Dnnl() {
    engine = owned.add(new engine(org.bytedeco.dnnl.engine.kind.cpu, 0));
    stream = owned.add(new stream(engine));
    attributes = owned.add(new primitive_attr());
    attributes.set_scratchpad_mode(dnnl.dnnl_scratchpad_mode_user);
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

  /** Descriptor of activations [N, C, H, W] stored as [N, H, W, C] floats. */
  public static memory.desc activation(int batch, Shape shape) {
    return desc(memory.format_tag.acdb, batch, shape.channels(), shape.height(), shape.width());
  }

  /** Descriptor of a [N, C] matrix of floats, row-major. */
  public static memory.desc matrix(int batch, int features) {
    return desc(memory.format_tag.ab, batch, features);
  }

  /** Descriptor of a vector of floats. */
  public static memory.desc vector(int elements) {
    return desc(memory.format_tag.a, elements);
  }

  /** Descriptor of floats whose layout oneDNN may choose. */
  public static memory.desc any(long... dims) {
    return desc(memory.format_tag.any, dims);
  }

  public static memory.desc desc(memory.format_tag tag, long... dims) {
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
  public static long[] dims(int h, int w) {
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
