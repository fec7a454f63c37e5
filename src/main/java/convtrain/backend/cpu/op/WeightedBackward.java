package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.dnnl.memory;

/**
 * The backward pass of a layer with weights (convolution, linear): dw from x and dy, then dx from w
 * and dy, with a reorder where that primitive wants the weights otherwise than they are stored.
 *
 * <p>Scratch memory, by turns: the gradient's; that of the primitives of dx, then a copy of the
 * weights.
 */
final class WeightedBackward implements AutoCloseable {
  private final Owned owned = new Owned();
  private final memory.desc stored;
  private final WeightsGradient gradient;
  private final Kernel data;
  private final memory.desc dataLayout;
  private final Kernel storedToData;

  /**
   * Takes ownership of the gradient, the kernel and its layout; {@code data} and {@code dataLayout}
   * are null where dx is not needed.
   *
   * @param stored layout of the weights in storage
   * @param dataLayout the one in which {@code data} wants them
   */
  WeightedBackward(
      Dnnl dnnl,
      memory.desc stored,
      WeightsGradient gradient,
      Kernel data,
      memory.desc dataLayout) {
    this.stored = stored;
    this.gradient = owned.add(gradient);
    this.data = data == null ? null : owned.add(data);
    this.dataLayout = dataLayout == null ? null : owned.add(dataLayout);
    storedToData =
        data == null || Dnnl.same(dataLayout, stored)
            ? null
            : owned.add(Kernel.reorder(dnnl, stored, dataLayout));
  }

  long scratchBytes() {
    return Math.max(gradient.scratchBytes(), ownScratch() + copyBytes());
  }

  /** What the primitives of dx need, rounded up so that the copy behind it is aligned. */
  private long ownScratch() {
    long bytes = data == null ? 0 : data.scratchBytes();
    bytes = Math.max(bytes, storedToData == null ? 0 : storedToData.scratchBytes());
    return (bytes + 63) / 64 * 64;
  }

  private long copyBytes() {
    return storedToData == null ? 0 : dataLayout.get_size();
  }

  /** Ties everything to memory. */
  void bind(Binding b, memory.desc x, memory.desc y) {
    gradient.bind(b);
    if (data == null) {
      return;
    }
    DeviceBuffer used = b.parameters().get("weight");
    if (storedToData != null) {
      DeviceBuffer copy = b.scratch().slice(ownScratch(), copyBytes());
      storedToData
          .with(DNNL_ARG_FROM, stored, used)
          .with(DNNL_ARG_TO, dataLayout, copy)
          .ready(b.scratch());
      used = copy;
    }
    data.with(DNNL_ARG_DIFF_DST, y, b.dy())
        .with(DNNL_ARG_WEIGHTS, dataLayout, used)
        .with(DNNL_ARG_DIFF_SRC, x, b.dx().get(0))
        .ready(b.scratch());
  }

  void run() {
    gradient.run();
    if (data != null) {
      if (storedToData != null) {
        storedToData.execute();
      }
      data.execute();
    }
  }

  String implementation() {
    Stream<String> forData =
        Stream.of(storedToData, data).filter(Objects::nonNull).map(Kernel::implementation);
    return Stream.concat(Stream.of(gradient.implementation()), forData)
        .collect(Collectors.joining(" | "));
  }

  @Override
  public void close() {
    owned.close();
  }
}
