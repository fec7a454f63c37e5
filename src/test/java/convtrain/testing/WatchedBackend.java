package convtrain.testing;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.DeviceMemoryException;
import convtrain.backend.ForwardingBackend;
import convtrain.backend.LayerOp;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

/** A backend that another one does the work of, which keeps account and fails when told to. */
public final class WatchedBackend extends ForwardingBackend {
  private final List<DeviceBuffer> buffers = new ArrayList<>();
  private final List<String> methodCalls = new ArrayList<>();
  private long memoryBytes = Long.MAX_VALUE;
  private int failAt = Integer.MAX_VALUE;
  private String failIn = "";
  private int largestBatch = Integer.MAX_VALUE;
  private String lacksMemoryIn = "";
  private int opened;
  private int closed;

  public WatchedBackend(Backend real) {
    super(real);
  }

  /** Makes the call of that number, counted over making and binding ops, fail. */
  public void failAtCall(int call) {
    failAt = call;
  }

  /** Makes every op fail in a method: {@code forward}. */
  public void failIn(String method) {
    failIn = method;
  }

  /** Makes the device small. */
  public void limitMemory(long bytes) {
    memoryBytes = bytes;
  }

  /**
   * Makes ops of larger batches lack memory of their own.
   *
   * @param method that fails, {@code bind}, or the factory's
   */
  public void limitBatch(int samples, String method) {
    largestBatch = samples;
    lacksMemoryIn = method;
  }

  /** Calls that made or bound an op. */
  public int calls() {
    return methodCalls.size();
  }

  /** Ops made and not closed. */
  public int openOps() {
    return opened - closed;
  }

  /** Buffers allocated and not closed. */
  public long openBuffers() {
    return buffers.stream().filter(WatchedBackend::isOpen).count();
  }

  /** Bytes of the buffers allocated and not closed. */
  public long openBytes() {
    return buffers.stream().filter(WatchedBackend::isOpen).mapToLong(DeviceBuffer::bytes).sum();
  }

  private static boolean isOpen(DeviceBuffer buffer) {
    try {
      buffer.slice(0, 0);
      return true;
    } catch (IllegalStateException released) {
      return false;
    }
  }

  @Override
  public DeviceBuffer allocate(long bytes) {
    long used = openBytes();
    if (bytes > memoryBytes - used) {
      throw new DeviceMemoryException(bytes, memoryBytes - used);
    }
    DeviceBuffer buffer = super.allocate(bytes);
    buffers.add(buffer);
    return buffer;
  }

  @Override
  public OpFactory ops(int batchSize, boolean training) {
    OpFactory factory = super.ops(batchSize, training);
    return proxy(
        OpFactory.class,
        (self, method, arguments) -> {
          if (method.getReturnType() == boolean.class
              || !Op.class.isAssignableFrom(method.getReturnType())
                  && method.getReturnType() != Object.class) {
            return call(factory, method, arguments);
          }
          count(method, batchSize);
          Object op = call(factory, method, arguments);
          opened++;
          return watched((Op) op, batchSize);
        });
  }

  private Op watched(Op op, int batchSize) {
    return proxy(
        op instanceof LayerOp ? LayerOp.class : Op.class,
        (self, method, arguments) -> {
          if (method.getName().equals(failIn)) {
            throw new IllegalArgumentException("status 7");
          }
          if (method.getName().equals("bind")) {
            count(method, batchSize);
          }
          if (method.getName().equals("close")) {
            closed++;
          }
          return call(op, method, arguments);
        });
  }

  private void count(Method method, int batchSize) {
    if (batchSize > largestBatch && method.getName().equals(lacksMemoryIn)) {
      throw new DeviceMemoryException(3L << 20, 1L << 20);
    }
    if (methodCalls.size() == failAt) {
      throw new IllegalArgumentException("told to fail at " + method.getName());
    }
    methodCalls.add(method.getName());
  }

  private static <T> T proxy(Class<? extends T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      method.setAccessible(true);
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
