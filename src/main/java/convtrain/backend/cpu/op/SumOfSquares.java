package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import java.nio.FloatBuffer;

/**
 * Sum of x^2 over a flat buffer, in double: each chunk's elements in order, then the chunks in
 * order, so that it does not depend on the number of threads.
 */
final class SumOfSquares {
  private static final int CHUNK = 2048;

  private final Workers workers;
  private final int elements;
  private final FloatBuffer values;
  private final double[] sums;
  private final float[][] lanes;
  private final Workers.Task sumPart = this::sumPart;

  SumOfSquares(Workers workers, DeviceBuffer values) {
    this.workers = workers;
    elements = Math.toIntExact(values.bytes() / Float.BYTES);
    this.values = CpuBuffer.floats(values);
    sums = new double[(elements + CHUNK - 1) / CHUNK];
    lanes = new float[workers.parts()][CHUNK];
  }

  double get() {
    workers.run(sumPart);
    double total = 0;
    for (double sum : sums) {
      total += sum;
    }
    return total;
  }

  private void sumPart(int part, int parts) {
    float[] lane = lanes[part];
    for (int chunk = part; chunk < sums.length; chunk += parts) {
      int count = Math.min(CHUNK, elements - chunk * CHUNK);
      values.get(chunk * CHUNK, lane, 0, count);
      double sum = 0;
      for (int i = 0; i < count; i++) {
        sum += (double) lane[i] * lane[i];
      }
      sums[chunk] = sum;
    }
  }
}
