package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.stream;

/**
 * The gradients of a layer's weights and bias from x and dy: by one primitive on all threads, or by
 * one for each thread over that thread's samples, whose results are added in the samples' order.
 * The latter is for primitives that gain little from threads (benchmarks/cpu.md).
 *
 * <p>Scratch memory: each primitive's own and its results, unless it writes to storage itself; then
 * that of the reorders. Each 64-byte aligned.
 */
final class WeightsGradient implements AutoCloseable {
  /**
   * The primitive of some samples.
   *
   * @param x their activations, behind those of the parts before
   * @param dw how it stores its result
   * @param y their outputs
   */
  record Part(Kernel kernel, memory.desc x, memory.desc dw, memory.desc y) {}

  private final Owned owned = new Owned();
  private final Workers workers;
  private final memory.desc stored;
  private final memory.desc bias;
  private final List<Part> parts;
  private final boolean direct;
  private final List<stream> streams = new ArrayList<>();
  private final List<Kernel> sums = new ArrayList<>();
  private final List<Kernel> biasSums = new ArrayList<>();
  private final Workers.Task computeAll = this::compute;

  /**
   * Takes ownership of the parts.
   *
   * @param stored layout of the weights and their gradient in storage
   * @param bias null for a layer without
   * @param parts all samples, in order
   */
  WeightsGradient(
      Dnnl dnnl, Workers workers, memory.desc stored, memory.desc bias, List<Part> parts) {
    this.workers = workers;
    this.stored = stored;
    this.bias = bias;
    this.parts = List.copyOf(parts);
    direct = parts.size() == 1 && Dnnl.same(parts.get(0).dw, stored);
    boolean first = true;
    for (Part part : parts) {
      owned.add(part.x);
      owned.add(part.dw);
      owned.add(part.y);
      owned.add(part.kernel);
      if (parts.size() > 1) {
        streams.add(owned.add(new stream(dnnl.engine())));
      }
      if (!direct) {
        sums.add(owned.add(reorder(dnnl, part.dw, stored, first)));
      }
      if (bias != null && parts.size() > 1) {
        biasSums.add(owned.add(reorder(dnnl, bias, bias, first)));
      }
      first = false;
    }
  }

  private static Kernel reorder(Dnnl dnnl, memory.desc from, memory.desc to, boolean first) {
    return first ? Kernel.reorder(dnnl, from, to) : Kernel.adding(dnnl, from, to);
  }

  long scratchBytes() {
    long bytes = 0;
    for (Part part : parts) {
      bytes += partBytes(part);
    }
    return bytes + reorderScratch();
  }

  private long partBytes(Part part) {
    return CpuBuffer.aligned(part.kernel.scratchBytes()) + resultBytes(part) + biasBytes();
  }

  private long resultBytes(Part part) {
    return direct ? 0 : CpuBuffer.aligned(part.dw.get_size());
  }

  private long biasBytes() {
    return biasSums.isEmpty() ? 0 : CpuBuffer.aligned(bias.get_size());
  }

  private long reorderScratch() {
    return Stream.concat(sums.stream(), biasSums.stream())
        .mapToLong(Kernel::scratchBytes)
        .max()
        .orElse(0);
  }

  /** Ties everything to memory. */
  void bind(Binding b) {
    DeviceBuffer dw = b.gradients().get("weight");
    DeviceBuffer db = b.gradients().get("bias");
    DeviceBuffer reorderScratch =
        reorderScratch() == 0
            ? null
            : b.scratch().slice(scratchBytes() - reorderScratch(), reorderScratch());
    long offset = 0;
    long xOffset = 0;
    long yOffset = 0;
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      long result = offset + CpuBuffer.aligned(part.kernel.scratchBytes());
      DeviceBuffer partDw = direct ? dw : b.scratch().slice(result, resultBytes(part));
      DeviceBuffer partDb =
          biasSums.isEmpty() ? db : b.scratch().slice(result + resultBytes(part), biasBytes());
      part.kernel
          .with(DNNL_ARG_SRC, part.x, b.x().get(0).slice(xOffset, part.x.get_size()))
          .with(DNNL_ARG_DIFF_DST, part.y, b.dy().slice(yOffset, part.y.get_size()))
          .with(DNNL_ARG_DIFF_WEIGHTS, part.dw, partDw);
      if (bias != null) {
        part.kernel.with(DNNL_ARG_DIFF_BIAS, bias, partDb);
      }
      part.kernel.ready(
          part.kernel.scratchBytes() == 0
              ? null
              : b.scratch().slice(offset, part.kernel.scratchBytes()));
      if (!direct) {
        tie(sums.get(i), part.dw, partDw, stored, dw, reorderScratch);
      }
      if (!biasSums.isEmpty()) {
        tie(biasSums.get(i), bias, partDb, bias, db, reorderScratch);
      }
      offset += partBytes(part);
      xOffset += part.x.get_size();
      yOffset += part.y.get_size();
    }
  }

  private static void tie(
      Kernel reorder,
      memory.desc from,
      DeviceBuffer source,
      memory.desc to,
      DeviceBuffer target,
      DeviceBuffer scratch) {
    reorder.with(DNNL_ARG_FROM, from, source).with(DNNL_ARG_TO, to, target).ready(scratch);
  }

  void run() {
    if (parts.size() == 1) {
      parts.get(0).kernel.execute();
    } else {
      workers.run(computeAll);
    }
    for (int i = 0; i < sums.size(); i++) {
      sums.get(i).execute();
    }
    for (int i = 0; i < biasSums.size(); i++) {
      biasSums.get(i).execute();
    }
  }

  private void compute(int part, int of) {
    int end = Workers.begin(parts.size(), part + 1, of);
    for (int i = Workers.begin(parts.size(), part, of); i < end; i++) {
      parts.get(i).kernel.execute(streams.get(i));
    }
  }

  String implementation() {
    return Stream.of(parts.stream().map(Part::kernel), sums.stream(), biasSums.stream())
        .flatMap(kernels -> kernels.map(Kernel::implementation).distinct())
        .collect(Collectors.joining(" | "));
  }

  @Override
  public void close() {
    owned.close();
  }
}
