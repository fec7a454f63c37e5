package convtrain.peers;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.dnnl.batch_normalization_backward;
import org.bytedeco.dnnl.batch_normalization_forward;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_desc;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Times every implementation that oneDNN offers for a convolution's passes, and for batch norm with
 * ReLU in the plain and the blocked layouts: the figures behind the choices of the CPU backend. The
 * clock is the calling thread's CPU time, which a busy machine disturbs least; so it needs {@code
 * OMP_NUM_THREADS=1}. Candidates run in turns; the least time of each counts.
 */
@Command(name = "Implementations", mixinStandardHelpOptions = true)
public final class Implementations implements Callable<Integer> {
  @Option(names = "--conv", split = ";", description = "C,K,H,kernel,padding,stride")
  private List<String> convolutions = List.of();

  @Option(names = "--norm", split = ";", description = "C,H")
  private List<String> norms = List.of();

  @Option(names = "--batch", defaultValue = "128", description = "samples")
  private int batch;

  @Option(names = "--repeat", defaultValue = "15", description = "runs of each")
  private int repeat;

  @Option(names = "--precision", defaultValue = "fp32", description = "fp32 or bf16")
  private Precision precision;

  private final Owned owned = new Owned();
  private Dnnl dnnl;
  private final Map<String, List<Candidate>> passes = new LinkedHashMap<>();

  public static void main(String[] args) {
    System.exit(
        new CommandLine(new Implementations())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .execute(args));
  }

  private static final class Candidate {
    private final String name;
    private final Kernel kernel;
    private long best = Long.MAX_VALUE;

    Candidate(String name, Kernel kernel) {
      this.name = name;
      this.kernel = kernel;
    }

    void run() {
      var clock = ManagementFactory.getThreadMXBean();
      long start = clock.getCurrentThreadCpuTime();
      kernel.execute();
      best = Math.min(best, clock.getCurrentThreadCpuTime() - start);
    }
  }

  @Override
  public Integer call() {
    if (!"1".equals(System.getenv("OMP_NUM_THREADS"))) {
      System.err.println("Implementations: set OMP_NUM_THREADS=1, it measures one thread's time");
      return 2;
    }
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      System.err.println("Implementations: --precision=" + precision.word() + "; fp32 or bf16");
      return 2;
    }
    dnnl = owned.add(new Dnnl(precision));
    convolutions.forEach(this::convolution);
    norms.forEach(this::norm);
    for (int i = 0; i < repeat; i++) {
      passes.values().forEach(candidates -> candidates.forEach(Candidate::run));
    }
    passes.forEach(
        (pass, candidates) -> {
          System.out.println(pass);
          candidates.forEach(c -> System.out.printf("%9.3f ms  %s%n", c.best / 1e6, c.name));
        });
    owned.close();
    return 0;
  }

  private static int[] numbers(String list) {
    return List.of(list.split(",")).stream().mapToInt(Integer::parseInt).toArray();
  }

  private void convolution(String sizes) {
    int[] n = numbers(sizes);
    int side = (n[2] + 2 * n[4] - n[3]) / n[5] + 1;
    memory.desc x = owned.add(dnnl.activation(batch, Shape.image(n[0], n[2], n[2])));
    memory.desc y = owned.add(dnnl.activation(batch, Shape.image(n[1], side, side)));
    memory.desc w = owned.add(dnnl.factors(n[1], n[0], n[3], n[3]));
    memory.desc dw = owned.add(Dnnl.any(n[1], n[0], n[3], n[3]));
    long[] strides = Dnnl.dims(n[5], n[5]);
    long[] dilates = Dnnl.dims(0, 0);
    long[] pad = Dnnl.dims(n[4], n[4]);
    var direct = algorithm.convolution_direct;
    Supplier<convolution_forward.primitive_desc> forward =
        () ->
            new convolution_forward.primitive_desc(
                dnnl.engine(),
                dnnl_forward_training,
                dnnl_convolution_direct,
                x,
                w,
                y,
                strides,
                dilates,
                pad,
                pad,
                dnnl.attributes(),
                false);
    String name = "convolution " + sizes;
    all(
        name + " forward",
        forward,
        convolution_forward::new,
        d -> Map.of(DNNL_ARG_SRC, x, DNNL_ARG_WEIGHTS, d.weights_desc(), DNNL_ARG_DST, y));
    var hint = owned.add(forward.get());
    all(
        name + " backward, data",
        () ->
            new convolution_backward_data.primitive_desc(
                dnnl.engine(),
                direct,
                x,
                w,
                y,
                strides,
                dilates,
                pad,
                pad,
                hint,
                dnnl.attributes(),
                false),
        convolution_backward_data::new,
        d ->
            Map.of(DNNL_ARG_DIFF_SRC, x, DNNL_ARG_WEIGHTS, d.weights_desc(), DNNL_ARG_DIFF_DST, y));
    all(
        name + " backward, weights",
        () ->
            new convolution_backward_weights.primitive_desc(
                dnnl.engine(),
                direct,
                x,
                dw,
                y,
                strides,
                dilates,
                pad,
                pad,
                hint,
                dnnl.attributes(),
                false),
        convolution_backward_weights::new,
        d ->
            Map.of(
                DNNL_ARG_SRC,
                x,
                DNNL_ARG_DIFF_WEIGHTS,
                d.diff_weights_desc(),
                DNNL_ARG_DIFF_DST,
                y));
  }

  private void norm(String sizes) {
    int[] n = numbers(sizes);
    for (memory.format_tag tag :
        new memory.format_tag[] {
          memory.format_tag.acdb, memory.format_tag.aBcd16b, memory.format_tag.aBcd8b
        }) {
      memory.desc x = owned.add(dnnl.activation(tag, batch, Shape.image(n[0], n[1], n[1])));
      String name = "batch norm %s, %s, ".formatted(sizes, tag);
      norm(name, x, owned.add(Dnnl.vector(n[0])));
      if (tag != memory.format_tag.acdb) {
        memory.desc plain = owned.add(dnnl.activation(batch, Shape.image(n[0], n[1], n[1])));
        reorder(name + "there", plain, x);
        reorder(name + "back", x, plain);
      }
    }
  }

  private void norm(String name, memory.desc x, memory.desc perChannel) {
    int flags = dnnl_use_scale | dnnl_use_shift | dnnl_fuse_norm_relu;
    Supplier<batch_normalization_forward.primitive_desc> forward =
        () ->
            new batch_normalization_forward.primitive_desc(
                dnnl.engine(), dnnl_forward_training, x, x, 1e-5f, flags, dnnl.attributes(), false);
    Map<Integer, memory.desc> common =
        Map.of(
            DNNL_ARG_SRC,
            x,
            DNNL_ARG_MEAN,
            perChannel,
            DNNL_ARG_VARIANCE,
            perChannel,
            DNNL_ARG_SCALE,
            perChannel);
    var hint = owned.add(forward.get());
    first(
        name + "forward",
        owned.add(forward.get()),
        batch_normalization_forward::new,
        common,
        Map.of(
            DNNL_ARG_DST,
            x,
            DNNL_ARG_SHIFT,
            perChannel,
            DNNL_ARG_WORKSPACE,
            owned.add(hint.workspace_desc())));
    first(
        name + "backward",
        new batch_normalization_backward.primitive_desc(
            dnnl.engine(), dnnl_backward, x, x, x, 1e-5f, flags, hint, dnnl.attributes(), false),
        batch_normalization_backward::new,
        common,
        Map.of(
            DNNL_ARG_DIFF_DST,
            x,
            DNNL_ARG_DIFF_SRC,
            x,
            DNNL_ARG_DIFF_SCALE,
            perChannel,
            DNNL_ARG_DIFF_SHIFT,
            perChannel,
            DNNL_ARG_WORKSPACE,
            owned.add(hint.workspace_desc())));
  }

  private void reorder(String name, memory.desc from, memory.desc to) {
    add(name, Kernel.reorder(dnnl, from, to), Map.of(DNNL_ARG_FROM, from, DNNL_ARG_TO, to));
  }

  /** oneDNN's own choice. */
  private <D extends primitive_desc> void first(
      String pass,
      D desc,
      Function<D, primitive> make,
      Map<Integer, memory.desc> some,
      Map<Integer, memory.desc> others) {
    Map<Integer, memory.desc> arguments = new LinkedHashMap<>(some);
    arguments.putAll(others);
    add(pass, new Kernel(dnnl, desc, make), arguments);
  }

  /**
   * All that oneDNN lists, but for its reference loops and matrix products. The descriptors come
   * first: once a primitive was made, oneDNN's list repeats that one.
   */
  private <D extends primitive_desc> void all(
      String pass,
      Supplier<D> descriptor,
      Function<D, primitive> make,
      Function<D, Map<Integer, memory.desc>> arguments) {
    List<D> descs = new ArrayList<>();
    for (D desc = at(descriptor, 0); desc != null; desc = at(descriptor, descs.size())) {
      descs.add(desc);
    }
    for (D desc : descs) {
      String name = Kernel.implementation(desc);
      if (!name.contains("ref") && !name.contains("gemm")) {
        add(pass, new Kernel(dnnl, desc, make), arguments.apply(desc));
      }
    }
  }

  /** The descriptor at a place in oneDNN's list, null beyond its end. */
  private static <D extends primitive_desc> D at(Supplier<D> descriptor, int index) {
    D desc = descriptor.get();
    for (int i = 0; i < index; i++) {
      if (!desc.next_impl()) {
        desc.close();
        return null;
      }
    }
    return desc;
  }

  private void add(String pass, Kernel kernel, Map<Integer, memory.desc> arguments) {
    owned.add(kernel);
    arguments.forEach((argument, desc) -> kernel.with(argument, desc, filled(desc.get_size())));
    kernel.ready(filled(Math.max(64, kernel.scratchBytes())));
    passes
        .computeIfAbsent(pass, p -> new ArrayList<>())
        .add(new Candidate(kernel.implementation(), kernel));
  }

  /** Memory that holds numbers of either sign in no order, as activations are. */
  private DeviceBuffer filled(long bytes) {
    CpuBuffer buffer = owned.add(CpuBuffer.allocate((bytes + 3) / 4 * 4));
    var floats = buffer.asFloats();
    for (int i = 0; i < floats.capacity(); i++) {
      floats.put(i, i * 7919L % 2003 / 1001f - 1);
    }
    return buffer;
  }
}
