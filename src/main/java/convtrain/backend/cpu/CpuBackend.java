package convtrain.backend.cpu;

import convtrain.backend.Backend;
import convtrain.backend.BackendException;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.Readback;
import convtrain.backend.Timer;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.backend.cpu.op.CpuFeed;
import convtrain.backend.cpu.op.CpuOps;
import convtrain.graph.DataPlacement;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Trains on the processor's cores through oneDNN.
 *
 * <p>oneDNN's own threads are OpenMP's: their number is fixed by {@code OMP_NUM_THREADS} before the
 * JVM starts (the launcher sets it); {@code threads} here is how many of them our own passes use,
 * and into how many parts a batch is cut where each thread runs a primitive of its own.
 */
public final class CpuBackend implements Backend {
  /** Finds the backend for ServiceLoader. */
  public static final class Provider implements Backend.Provider {
    @Override
    public String name() {
      return "cpu";
    }

    @Override
    public int preference() {
      return 0;
    }

    @Override
    public Availability probe() {
      return new Availability(true, "this processor");
    }

    @Override
    public void load() {
      Dnnl.version();
    }

    @Override
    public Backend open(Options options) {
      check(options.precision());
      int threads = options.threads();
      return new CpuBackend(
          threads > 0 ? threads : Runtime.getRuntime().availableProcessors(), options.precision());
    }

    private static void check(Precision precision) {
      boolean bf16 = Dnnl.multipliesBf16();
      if (precision == Precision.FP32 || precision == Precision.BF16 && bf16) {
        return;
      }
      String why =
          precision == Precision.BF16
              ? "the cpu backend needs AVX-512 BF16 for it (avx512_bf16 in /proc/cpuinfo), which this processor lacks or ONEDNN_MAX_CPU_ISA forbids; set train.precision=fp32"
              : bf16
                  ? "the cpu backend computes in fp32 and bf16; set train.precision to one of those"
                  : "the cpu backend computes in fp32; set train.precision=fp32";
      throw new BackendException(
          "train.precision=%s: %s or use a GPU (--backend cuda)".formatted(precision.word(), why));
    }
  }

  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final Workers workers;
  private final int threads;

  /** Computes in fp32. */
  public CpuBackend(int threads) {
    this(threads, Precision.FP32);
  }

  private CpuBackend(int threads, Precision precision) {
    this.threads = threads;
    workers = new Workers(threads);
    try {
      dnnl = owned.add(new Dnnl(precision));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "CPU, %d threads, %s".formatted(threads, Dnnl.version());
  }

  @Override
  public DeviceBuffer allocate(long bytes) {
    return CpuBuffer.allocateBetweenLines(bytes);
  }

  @Override
  public ByteBuffer hostBuffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  @Override
  public Feed feed(int imageBytes, int batchSize, DataPlacement placement) {
    return new CpuFeed(imageBytes, batchSize);
  }

  @Override
  public Readback readback(DeviceBuffer buffer) {
    return new DirectReadback((CpuBuffer) buffer);
  }

  @Override
  public Timer timer(int moments) {
    return new HostTimer(moments);
  }

  /** Of all backends of the process. */
  @Override
  public long allocatedBytes() {
    return CpuBuffer.allocatedBytes();
  }

  @Override
  public OpFactory ops(int batchSize, boolean training) {
    return new CpuOps(dnnl, workers, batchSize, training);
  }

  @Override
  public Yardstick product(int order) {
    return DnnlYardstick.product(dnnl, order);
  }

  @Override
  public Yardstick copy(long bytes) {
    return DnnlYardstick.copy(dnnl, bytes);
  }

  /** Of all backends of the process. */
  @Override
  public long peakBytes() {
    return CpuBuffer.peakBytes();
  }

  @Override
  public void synchronize() {
    dnnl.stream()._wait();
  }

  @Override
  public void close() {
    owned.close();
  }
}
