package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Op;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import java.nio.FloatBuffer;

/** Combines two flat buffers element by element, in parallel, through arrays that stay cached. */
abstract class FlatPass implements Op {
  private static final int CHUNK = 2048;

  private final Workers workers;
  private final int elements;
  private final int chunks;
  private final FloatBuffer from;
  private final FloatBuffer into;
  private final float[][] fromLanes;
  private final float[][] intoLanes;
  private final Workers.Task passPart = this::passPart;

  FlatPass(Workers workers, DeviceBuffer from, DeviceBuffer into) {
    this.workers = workers;
    elements = Math.toIntExact(into.bytes() / Float.BYTES);
    chunks = (elements + CHUNK - 1) / CHUNK;
    this.from = CpuBuffer.floats(from);
    this.into = CpuBuffer.floats(into);
    fromLanes = new float[workers.parts()][CHUNK];
    intoLanes = new float[workers.parts()][CHUNK];
  }

  /** The new values of {@code intoValues}. */
  abstract void combine(float[] fromValues, float[] intoValues, int count);

  final void pass() {
    workers.run(passPart);
  }

  private void passPart(int part, int parts) {
    float[] fromValues = fromLanes[part];
    float[] intoValues = intoLanes[part];
    for (int chunk = part; chunk < chunks; chunk += parts) {
      int start = chunk * CHUNK;
      int count = Math.min(CHUNK, elements - start);
      from.get(start, fromValues, 0, count);
      into.get(start, intoValues, 0, count);
      combine(fromValues, intoValues, count);
      into.put(start, intoValues, 0, count);
    }
  }
}
