package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Op;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A batch norm that nothing is fused to, by our kernels or by cuDNN: whichever measures faster on
 * this layer's own memory, forward and backward together.
 */
final class FasterBatchNorm implements Op {
  private static final List<String> RUNNING = List.of("running_mean", "running_var");

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final String key;
  private final List<Op> candidates;
  private Op chosen;

  /**
   * Takes ownership of the candidates.
   *
   * @param key what is computed, for the tuner
   */
  FasterBatchNorm(CudaContext cuda, String key, List<Op> candidates) {
    this.cuda = cuda;
    this.key = key;
    this.candidates = candidates;
    candidates.forEach(owned::add);
  }

  @Override
  public Needs needs() {
    long saved = 0;
    long scratch = 0;
    for (Op candidate : candidates) {
      saved = Math.max(saved, candidate.needs().savedBytes());
      scratch = Math.max(scratch, candidate.needs().scratchBytes());
    }
    return new Needs(saved, scratch);
  }

  @Override
  public boolean backwardInPlace() {
    return candidates.stream().allMatch(Op::backwardInPlace);
  }

  /** Measuring moves the running statistics: they are put back. */
  @Override
  public void bind(Binding b) {
    candidates.forEach(candidate -> candidate.bind(b));
    List<ByteBuffer> before = RUNNING.stream().map(name -> read(b.parameters().get(name))).toList();
    int fastest =
        Fastest.of(
            cuda,
            key,
            candidates.stream().map(Op::implementation).toList(),
            candidates.stream().map(candidate -> passes(candidate, b.dy() != null)).toList());
    for (int i = 0; i < RUNNING.size(); i++) {
      b.parameters().get(RUNNING.get(i)).write(0, before.get(i));
    }
    chosen = candidates.get(fastest);
  }

  private static ByteBuffer read(DeviceBuffer buffer) {
    ByteBuffer bytes = Upload.host(Math.toIntExact(buffer.bytes()));
    buffer.read(0, bytes.duplicate());
    return bytes;
  }

  private static Runnable passes(Op candidate, boolean back) {
    return () -> {
      candidate.forward();
      if (back) {
        candidate.backward();
      }
    };
  }

  @Override
  public void forward() {
    chosen.forward();
  }

  @Override
  public void backward() {
    chosen.backward();
  }

  @Override
  public String implementation() {
    return chosen == null ? "" : chosen.implementation();
  }

  @Override
  public void close() {
    owned.close();
  }
}
