package convtrain.backend;

import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;

/** Memory for ops of a step that are no layers; released after each test. */
abstract class StepOpContract extends BackendContract {
  private final List<AutoCloseable> owned = new ArrayList<>();

  @AfterEach
  void release() throws Exception {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
  }

  final <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  final DeviceBuffer floats(float[] values) {
    DeviceBuffer buffer = own(backend().allocate((long) values.length * Float.BYTES));
    DeviceFloats.write(values, buffer);
    return buffer;
  }

  final DeviceBuffer ints(int[] values) {
    ByteBuffer bytes = DeviceFloats.host(values.length * Integer.BYTES);
    bytes.asIntBuffer().put(values);
    DeviceBuffer buffer = own(backend().allocate(bytes.capacity()));
    buffer.write(0, bytes);
    return buffer;
  }

  final DeviceBuffer clock(long step) {
    DeviceBuffer clock = own(backend().allocate(StepClock.BYTES));
    Clocks.set(clock, step);
    return clock;
  }

  final DeviceBuffer metrics() {
    DeviceBuffer metrics = own(backend().allocate(StepMetrics.BYTES));
    StepMetrics.clear(metrics);
    return metrics;
  }

  static float[] normals(int elements, Random random) {
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
