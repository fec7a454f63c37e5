package convtrain.backend.cpu.op;

import convtrain.backend.MixBuffers;
import convtrain.backend.Op;
import convtrain.backend.RandomState;
import convtrain.backend.StepClock;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.MixDraw;
import convtrain.graph.MixSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/** Mixes each sample of a staged batch with the one before it, see {@link MixSpec}. */
final class MixOp implements Op {
  private final Workers workers;
  private final int batch;
  private final Shape image;
  private final int classes;
  private final boolean cuts;
  private final MixDraw draw;
  private final ByteBuffer clock;
  private final TensorView staged;
  private final ByteBuffer labels;
  private final TensorView x;
  private final FloatBuffer targets;
  private final float[][] own;
  private final float[][] other;
  private final float[] row;
  private final Workers.Task mixAll = this::mixPart;

  MixOp(
      Workers workers,
      Precision precision,
      int batch,
      MixSpec spec,
      Shape image,
      int classes,
      RandomState random,
      MixBuffers buffers) {
    this.workers = workers;
    this.batch = batch;
    this.image = image;
    this.classes = classes;
    cuts = spec instanceof MixSpec.Cutmix;
    draw = new MixDraw(spec, image, random.seed());
    clock = ((CpuBuffer) random.clock()).asBytes();
    this.staged = TensorView.of(precision, buffers.staged());
    this.labels = ((CpuBuffer) buffers.labels()).asBytes();
    this.x = TensorView.of(precision, buffers.x());
    this.targets = CpuBuffer.floats(buffers.targets());
    own = new float[workers.parts()][image.elements()];
    other = new float[workers.parts()][image.elements()];
    row = new float[classes];
  }

  @Override
  public void forward() {
    draw.draw(clock.getLong(StepClock.BATCHES));
    workers.run(mixAll);
    for (int n = 0; n < batch; n++) {
      mixTargets(n);
    }
  }

  private int before(int n) {
    return n == 0 ? batch - 1 : n - 1;
  }

  private void mixPart(int part, int parts) {
    float[] a = own[part];
    float[] b = other[part];
    int end = Workers.begin(batch, part + 1, parts);
    for (int n = Workers.begin(batch, part, parts); n < end; n++) {
      staged.get(n * a.length, a);
      staged.get(before(n) * a.length, b);
      if (cuts) {
        cut(a, b);
      } else {
        blend(a, b, draw.lambda(), 1 - draw.lambda());
      }
      x.put(n * a.length, a);
    }
  }

  private static void blend(float[] a, float[] b, float shareA, float shareB) {
    for (int i = 0; i < a.length; i++) {
      a[i] = shareA * a[i] + shareB * b[i];
    }
  }

  private void cut(float[] a, float[] b) {
    int length = (draw.right() - draw.left()) * image.channels();
    for (int i = draw.top(); i < draw.bottom(); i++) {
      int at = (i * image.width() + draw.left()) * image.channels();
      System.arraycopy(b, at, a, at, length);
    }
  }

  private void mixTargets(int n) {
    int label = labels.getInt(n * Integer.BYTES);
    int otherLabel = labels.getInt(before(n) * Integer.BYTES);
    for (int k = 0; k < classes; k++) {
      row[k] = (k == label ? draw.lambda() : 0) + (k == otherLabel ? 1 - draw.lambda() : 0);
    }
    targets.put(n * classes, row);
  }
}
