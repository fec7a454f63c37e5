package convtrain.backend.cuda;

import convtrain.backend.Backend;
import convtrain.backend.BackendException;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.Readback;
import convtrain.backend.Timer;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaBusyClock;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaException;
import convtrain.backend.cuda.device.CudaFeed;
import convtrain.backend.cuda.device.CudaReadback;
import convtrain.backend.cuda.device.CudaTimer;
import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.backend.cuda.natives.NativeLibraries;
import convtrain.backend.cuda.op.CudaOps;
import convtrain.backend.cuda.op.CudaYardstick;
import convtrain.graph.DataPlacement;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;

/**
 * Trains on an NVIDIA GPU: cuDNN, cuBLAS and our kernels on one stream, a whole step captured as
 * one CUDA graph. All calls come from the thread that opened it.
 */
public final class CudaBackend implements Backend {
  /** Finds the backend for ServiceLoader. */
  public static final class Provider implements Backend.Provider {
    @Override
    public String name() {
      return "cuda";
    }

    @Override
    public int preference() {
      return 10;
    }

    @Override
    public Availability probe() {
      return NativeLibraries.availability();
    }

    @Override
    public void load() {
      NativeLibraries.load();
    }

    @Override
    public Backend open(Options options) {
      NativeLibraries.load();
      try {
        return new CudaBackend(options, CacheFolder.ofUser());
      } catch (CudaException e) {
        throw new BackendException(
            "the GPU cannot be used: %s; `convtrain doctor` says more".formatted(e.getMessage()),
            e);
      }
    }
  }

  private static final int AMPERE = 80;

  private final Owned owned = new Owned();
  private final Options options;
  private final CudaContext context;

  CudaBackend(Options options, CacheFolder cache) {
    this.options = options;
    context = owned.add(new CudaContext(options.deterministic(), cache));
    try {
      checkPrecision();
    } catch (RuntimeException e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private void checkPrecision() {
    Precision precision = options.precision();
    boolean fromAmpereOn = precision == Precision.TF32 || precision == Precision.BF16;
    if (fromAmpereOn && context.info().capability() < AMPERE) {
      throw new BackendException(
          "train.precision=%s needs a GPU of compute capability 8.0 or newer; %s has %s; use fp32 or fp16"
              .formatted(precision.word(), context.info().name(), context.info().capabilityText()));
    }
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return context.description();
  }

  @Override
  public DeviceBuffer allocate(long bytes) {
    return context.allocate(bytes);
  }

  @Override
  public ByteBuffer hostBuffer(int bytes) {
    return owned.add(context.pinned(bytes)).bytes();
  }

  @Override
  public Feed feed(int imageBytes, int batchSize, DataPlacement placement) {
    return new CudaFeed(context, imageBytes, batchSize, placement);
  }

  @Override
  public Readback readback(DeviceBuffer buffer) {
    return new CudaReadback(context, CudaBuffer.of(buffer));
  }

  @Override
  public Timer timer(int moments) {
    return new CudaTimer(context, moments);
  }

  @Override
  public long allocatedBytes() {
    return context.allocatedBytes();
  }

  @Override
  public OpFactory ops(int batchSize, boolean training) {
    return new CudaOps(context, batchSize, training, options.precision());
  }

  @Override
  public Replay capture(Runnable enqueueStep) {
    boolean captured = options.graph() && !options.debugSync();
    return captured ? new CapturedStep(context, enqueueStep) : enqueueStep::run;
  }

  @Override
  public Yardstick product(int order) {
    return CudaYardstick.product(context, options.precision(), order);
  }

  @Override
  public Yardstick copy(long bytes) {
    return CudaYardstick.copy(context, bytes);
  }

  @Override
  public BusyClock busyClock() {
    return new CudaBusyClock(context);
  }

  @Override
  public long peakBytes() {
    return context.peakBytes();
  }

  @Override
  public void afterOp() {
    if (options.debugSync()) {
      context.synchronize();
    }
  }

  @Override
  public void synchronize() {
    context.synchronize();
  }

  @Override
  public void close() {
    owned.close();
  }
}
