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
 * and dy, with a reorder where a primitive wants the weights in another layout than storage.
 *
 * <p>Scratch memory: the primitives' own first, then one copy of the weights.
 */
final class WeightedBackward implements AutoCloseable {
  private final Owned owned = new Owned();
  private final memory.desc stored;
  private final Kernel weights;
  private final memory.desc weightsLayout;
  private final Kernel data;
  private final memory.desc dataLayout;
  private final Kernel gradientToStored;
  private final Kernel storedToData;

  /**
   * Takes ownership of the kernels and of the two layouts; {@code data} and its layout are null
   * where dx is not needed.
   *
   * @param stored layout of the weights and their gradient in storage
   */
  WeightedBackward(
      Dnnl dnnl,
      memory.desc stored,
      Kernel weights,
      memory.desc weightsLayout,
      Kernel data,
      memory.desc dataLayout) {
    this.stored = stored;
    this.weights = owned.add(weights);
    this.weightsLayout = owned.add(weightsLayout);
    this.data = data == null ? null : owned.add(data);
    this.dataLayout = dataLayout == null ? null : owned.add(dataLayout);
    gradientToStored =
        Dnnl.same(weightsLayout, stored)
            ? null
            : owned.add(Kernel.reorder(dnnl, weightsLayout, stored));
    storedToData =
        data == null || Dnnl.same(dataLayout, stored)
            ? null
            : owned.add(Kernel.reorder(dnnl, stored, dataLayout));
  }

  long scratchBytes() {
    return ownScratch() + copyBytes();
  }

  /** The primitives' own scratch, rounded up so that the copy behind it is aligned. */
  private long ownScratch() {
    long bytes = weights.scratchBytes();
    for (Kernel kernel : new Kernel[] {data, gradientToStored, storedToData}) {
      bytes = Math.max(bytes, kernel == null ? 0 : kernel.scratchBytes());
    }
    return (bytes + 63) / 64 * 64;
  }

  private long copyBytes() {
    long gradient = gradientToStored == null ? 0 : weightsLayout.get_size();
    return Math.max(gradient, storedToData == null ? 0 : dataLayout.get_size());
  }

  /** Ties everything to memory; {@code biasDesc} is null for a layer without bias. */
  void bind(Binding b, memory.desc x, memory.desc y, memory.desc biasDesc) {
    DeviceBuffer copy = copyBytes() == 0 ? null : b.scratch().slice(ownScratch(), copyBytes());
    DeviceBuffer dw = b.gradients().get("weight");
    weights
        .with(DNNL_ARG_SRC, x, b.x().get(0))
        .with(DNNL_ARG_DIFF_DST, y, b.dy())
        .with(DNNL_ARG_DIFF_WEIGHTS, weightsLayout, gradientToStored == null ? dw : copy);
    if (biasDesc != null) {
      weights.with(DNNL_ARG_DIFF_BIAS, biasDesc, b.gradients().get("bias"));
    }
    weights.ready(b.scratch());
    if (gradientToStored != null) {
      gradientToStored
          .with(DNNL_ARG_FROM, weightsLayout, copy)
          .with(DNNL_ARG_TO, stored, dw)
          .ready(b.scratch());
    }
    if (data == null) {
      return;
    }
    DeviceBuffer w = b.parameters().get("weight");
    if (storedToData != null) {
      storedToData
          .with(DNNL_ARG_FROM, stored, w)
          .with(DNNL_ARG_TO, dataLayout, copy)
          .ready(b.scratch());
    }
    data.with(DNNL_ARG_DIFF_DST, y, b.dy())
        .with(DNNL_ARG_WEIGHTS, dataLayout, storedToData == null ? w : copy)
        .with(DNNL_ARG_DIFF_SRC, x, b.dx().get(0))
        .ready(b.scratch());
  }

  void run() {
    weights.execute();
    if (gradientToStored != null) {
      gradientToStored.execute();
    }
    if (data != null) {
      if (storedToData != null) {
        storedToData.execute();
      }
      data.execute();
    }
  }

  String implementation() {
    return Stream.of(weights, gradientToStored, storedToData, data)
        .filter(Objects::nonNull)
        .map(Kernel::implementation)
        .collect(Collectors.joining(" | "));
  }

  @Override
  public void close() {
    owned.close();
  }
}
