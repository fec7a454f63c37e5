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
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.stream;

/**
 * The gradients of a layer's weights and bias from x and dy: by one primitive on all threads, or by
 * one for each thread over that thread's samples, whose results are added in the samples' order.
 * The latter is for primitives that gain little from threads (benchmarks/cpu.md).
 *
 * <p>Scratch memory, for each part: its primitive's own, its results unless it writes to storage
 * itself, and that of the reorders. Each begins at a multiple of 64 bytes.
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

  /** A part at work, with what brings its results to storage: the first's copied, others' added. */
  private final class Share implements AutoCloseable {
    private final Owned owned = new Owned();
    private final Part part;
    private final stream stream;
    private final Kernel weightsToStorage;
    private final Kernel biasToStorage;

    Share(Dnnl dnnl, Part part, boolean first, boolean only) {
      this.part = part;
      owned.add(part.x);
      owned.add(part.dw);
      owned.add(part.y);
      owned.add(part.kernel);
      try {
        stream = only ? dnnl.stream() : owned.add(new stream(dnnl.engine()));
        boolean direct = only && Dnnl.same(part.dw, stored);
        weightsToStorage = direct ? null : owned.add(bringing(dnnl, part.dw, stored, first));
        biasToStorage = only || bias == null ? null : owned.add(bringing(dnnl, bias, bias, first));
      } catch (RuntimeException | Error e) {
        Owned.closeAfter(e, owned);
        throw e;
      }
    }

    private static Kernel bringing(Dnnl dnnl, memory.desc from, memory.desc to, boolean first) {
      return first ? Kernel.reorder(dnnl, from, to) : Kernel.adding(dnnl, from, to);
    }

    long bytes() {
      return ownBytes() + weightsBytes() + biasBytes() + reorderBytes();
    }

    private long ownBytes() {
      return CpuBuffer.aligned(part.kernel.scratchBytes());
    }

    private long weightsBytes() {
      return weightsToStorage == null ? 0 : CpuBuffer.aligned(part.dw.get_size());
    }

    private long biasBytes() {
      return biasToStorage == null ? 0 : CpuBuffer.aligned(bias.get_size());
    }

    private long reorderBytes() {
      return kernels()
          .skip(1)
          .mapToLong(kernel -> CpuBuffer.aligned(kernel.scratchBytes()))
          .max()
          .orElse(0);
    }

    private Stream<Kernel> kernels() {
      return Stream.of(part.kernel, weightsToStorage, biasToStorage).filter(Objects::nonNull);
    }

    /**
     * Ties everything to memory.
     *
     * @param scratch of {@link #bytes}; null where that is 0
     * @param xStart where the part's activations begin, in bytes
     * @param yStart the same of its outputs
     */
    void bind(Binding b, DeviceBuffer scratch, long xStart, long yStart) {
      DeviceBuffer dw = b.gradients().get("weight");
      DeviceBuffer db = b.gradients().get("bias");
      long biasStart = ownBytes() + weightsBytes();
      DeviceBuffer reorderScratch = slice(scratch, biasStart + biasBytes(), reorderBytes());
      if (weightsToStorage != null) {
        DeviceBuffer result = slice(scratch, ownBytes(), weightsBytes());
        tie(weightsToStorage, part.dw, result, stored, dw, reorderScratch);
        dw = result;
      }
      if (biasToStorage != null) {
        DeviceBuffer result = slice(scratch, biasStart, biasBytes());
        tie(biasToStorage, bias, result, bias, db, reorderScratch);
        db = result;
      }
      part.kernel
          .with(DNNL_ARG_SRC, part.x, b.x().get(0).slice(xStart, part.x.get_size()))
          .with(DNNL_ARG_DIFF_DST, part.y, b.dy().slice(yStart, part.y.get_size()))
          .with(DNNL_ARG_DIFF_WEIGHTS, part.dw, dw);
      if (bias != null) {
        part.kernel.with(DNNL_ARG_DIFF_BIAS, bias, db);
      }
      part.kernel.ready(slice(scratch, 0, ownBytes()));
    }

    private static DeviceBuffer slice(DeviceBuffer scratch, long start, long bytes) {
      return bytes == 0 ? null : scratch.slice(start, bytes);
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

    void compute() {
      part.kernel.execute(stream);
    }

    void bring() {
      if (weightsToStorage != null) {
        weightsToStorage.execute();
      }
      if (biasToStorage != null) {
        biasToStorage.execute();
      }
    }

    @Override
    public void close() {
      owned.close();
    }
  }

  private final Owned owned = new Owned();
  private final Workers workers;
  private final memory.desc stored;
  private final memory.desc bias;
  private final List<Share> shares = new ArrayList<>();
  private final Workers.Task computeAll = this::computePart;

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
    try {
      for (Part part : parts) {
        shares.add(owned.add(new Share(dnnl, part, shares.isEmpty(), parts.size() == 1)));
      }
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  long scratchBytes() {
    return shares.stream().mapToLong(Share::bytes).sum();
  }

  /** Ties everything to memory. */
  void bind(Binding b) {
    long start = 0;
    long xStart = 0;
    long yStart = 0;
    for (Share share : shares) {
      DeviceBuffer scratch = share.bytes() == 0 ? null : b.scratch().slice(start, share.bytes());
      share.bind(b, scratch, xStart, yStart);
      start += share.bytes();
      xStart += share.part.x.get_size();
      yStart += share.part.y.get_size();
    }
  }

  void run() {
    if (shares.size() == 1) {
      shares.get(0).compute();
    } else {
      workers.run(computeAll);
    }
    for (int i = 0; i < shares.size(); i++) {
      shares.get(i).bring();
    }
  }

  private void computePart(int part, int parts) {
    int end = Workers.begin(shares.size(), part + 1, parts);
    for (int i = Workers.begin(shares.size(), part, parts); i < end; i++) {
      shares.get(i).compute();
    }
  }

  String implementation() {
    return shares.stream()
        .flatMap(Share::kernels)
        .map(Kernel::implementation)
        .distinct()
        .collect(Collectors.joining(" | "));
  }

  @Override
  public void close() {
    owned.close();
  }
}
