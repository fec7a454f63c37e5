package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A layer by our kernels or by cuDNN: whichever measures faster on this layer's own memory, forward
 * and backward together.
 */
final class FasterOp implements LayerOp {
  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final String key;
  private final List<String> moved;
  private final List<LayerOp> candidates;
  private LayerOp chosen;
  private Fastest.Pick pick;

  /**
   * Takes ownership of the candidates.
   *
   * @param key what is computed, for the tuner
   * @param moved parameters that a forward pass changes
   * @param candidates of which the first is taken where nothing is measured
   */
  FasterOp(CudaContext cuda, String key, List<String> moved, List<LayerOp> candidates) {
    this.cuda = cuda;
    this.key = key;
    this.moved = moved;
    this.candidates = candidates;
    candidates.forEach(owned::add);
  }

  @Override
  public Needs needs() {
    long saved = 0;
    long scratch = 0;
    for (LayerOp candidate : candidates) {
      saved = Math.max(saved, candidate.needs().savedBytes());
      scratch = Math.max(scratch, candidate.needs().scratchBytes());
    }
    return new Needs(saved, scratch);
  }

  /** What any of them reads: the plan places memory before one is chosen. */
  @Override
  public Reads backwardReads() {
    return new Reads(
        candidates.stream().anyMatch(candidate -> candidate.backwardReads().input()),
        candidates.stream().anyMatch(candidate -> candidate.backwardReads().output()));
  }

  @Override
  public boolean backwardInPlace() {
    return candidates.stream().allMatch(LayerOp::backwardInPlace);
  }

  /** What measuring moves is put back. */
  @Override
  public void bind(Binding b) {
    candidates.forEach(candidate -> candidate.bind(b));
    List<ByteBuffer> before = moved.stream().map(name -> read(b.parameters().get(name))).toList();
    pick =
        Fastest.of(
            cuda,
            key,
            candidates.stream().map(LayerOp::implementation).toList(),
            candidates.stream().map(candidate -> passes(candidate, b.dy() != null)).toList());
    for (int i = 0; i < moved.size(); i++) {
      b.parameters().get(moved.get(i)).write(0, before.get(i));
    }
    chosen = candidates.get(pick.index());
  }

  private static ByteBuffer read(DeviceBuffer buffer) {
    ByteBuffer bytes = Upload.host(Math.toIntExact(buffer.bytes()));
    buffer.read(0, bytes.duplicate());
    return bytes;
  }

  private static Runnable passes(LayerOp candidate, boolean back) {
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
    return pick == null ? "" : pick.toString();
  }

  @Override
  public void close() {
    owned.close();
  }
}
