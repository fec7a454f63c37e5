package convtrain.backend.cpu.op;

import convtrain.backend.Op;
import convtrain.backend.StepClock;
import convtrain.backend.UpdateBuffers;
import convtrain.backend.UpdateRule;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * One optimizer step over the flat buffers, chunk by chunk through arrays that stay in the cache;
 * {@link OptimizerSpec} and {@link UpdateSpec} give the formulas. The clock advances at the end.
 */
final class UpdateOp implements Op {
  private static final int CHUNK = 2048;

  /** Keeps the coefficient of a clipped norm finite, as PyTorch does. */
  private static final double CLIP_EPS = 1e-6;

  private final OptimizerSpec optimizer;
  private final double clipGradNorm;
  private final SumOfSquares squares;
  private final long decayed;
  private final Workers workers;
  private final int elements;
  private final int chunks;
  private final FloatBuffer parameters;
  private final FloatBuffer gradients;
  private final FloatBuffer state;
  private final FloatBuffer schedule;
  private final ByteBuffer clock;
  private final Lane[] lanes;
  private final Workers.Task updatePart = this::updatePart;

  private long step;
  private float factor;
  private float lr;
  private float momentum;

  UpdateOp(Workers workers, UpdateRule rule, UpdateBuffers buffers) {
    optimizer = rule.optimizer();
    boolean clips = rule.clipGradNorm() != null;
    clipGradNorm = clips ? rule.clipGradNorm() : 0;
    squares = clips ? new SumOfSquares(workers, buffers.gradients()) : null;
    decayed = rule.decayed();
    this.workers = workers;
    this.elements = Math.toIntExact(buffers.parameters().bytes() / Float.BYTES);
    this.chunks = (elements + CHUNK - 1) / CHUNK;
    this.parameters = CpuBuffer.floats(buffers.parameters());
    this.gradients = CpuBuffer.floats(buffers.gradients());
    this.state = buffers.state() == null ? null : CpuBuffer.floats(buffers.state());
    this.schedule = CpuBuffer.floats(buffers.schedule());
    this.clock = ((CpuBuffer) buffers.clock()).asBytes();
    this.lanes = new Lane[workers.parts()];
    for (int i = 0; i < workers.parts(); i++) {
      lanes[i] = new Lane();
    }
  }

  @Override
  public void forward() {
    step = clock.getLong(StepClock.UPDATES);
    long pending = clock.getLong(StepClock.PENDING);
    factor = factor(Math.max(1, pending));
    lr = schedule.get((int) (2 * step));
    momentum = schedule.get((int) (2 * step) + 1);
    workers.run(updatePart);
    clock.putLong(StepClock.UPDATES, step + 1);
    if (pending == 0) {
      clock.putLong(StepClock.BATCHES, clock.getLong(StepClock.BATCHES) + 1);
    }
    clock.putLong(StepClock.PENDING, 0);
  }

  /** What gradients are multiplied by: their mean over the batches in the sum, clipped. */
  private float factor(long batches) {
    double mean = 1.0 / batches;
    if (squares == null) {
      return (float) mean;
    }
    double coefficient = clipGradNorm / (Math.sqrt(squares.get()) * mean + CLIP_EPS);
    return (float) (coefficient > 1 ? mean : coefficient * mean);
  }

  private void updatePart(int part, int parts) {
    Lane lane = lanes[part];
    for (int chunk = part; chunk < chunks; chunk += parts) {
      lane.update(chunk * CHUNK, Math.min(CHUNK, elements - chunk * CHUNK));
    }
  }

  /** One thread's arrays: parameters, gradients and state of a chunk. */
  private final class Lane {
    private final float[] w = new float[CHUNK];
    private final float[] g = new float[CHUNK];
    private final float[] m = new float[CHUNK];
    private final float[] v = new float[CHUNK];

    void update(int start, int count) {
      parameters.get(start, w, 0, count);
      gradients.get(start, g, 0, count);
      if (factor != 1) {
        for (int i = 0; i < count; i++) {
          g[i] *= factor;
        }
      }
      int decaying = (int) Math.max(0, Math.min(count, decayed - start));
      int slots = optimizer.stateSlots();
      if (slots > 0) {
        state.get(start, m, 0, count);
      }
      if (slots > 1) {
        state.get(elements + start, v, 0, count);
      }
      if (optimizer instanceof OptimizerSpec.Sgd sgd) {
        decayGradient(sgd.weightDecay().floatValue(), decaying);
        sgd(sgd, count);
      } else if (optimizer instanceof OptimizerSpec.Adam adam) {
        decayGradient(adam.weightDecay().floatValue(), decaying);
        adam(adam.betas().get(1), adam.eps(), count);
      } else if (optimizer instanceof OptimizerSpec.AdamW adamW) {
        float keep = (float) (1 - (double) lr * adamW.weightDecay());
        for (int i = 0; i < decaying; i++) {
          w[i] *= keep;
        }
        adam(adamW.betas().get(1), adamW.eps(), count);
      }
      parameters.put(start, w, 0, count);
      if (slots > 0) {
        state.put(start, m, 0, count);
      }
      if (slots > 1) {
        state.put(elements + start, v, 0, count);
      }
    }

    private void decayGradient(float decay, int count) {
      if (decay != 0) {
        for (int i = 0; i < count; i++) {
          g[i] += decay * w[i];
        }
      }
    }

    private void sgd(OptimizerSpec.Sgd sgd, int count) {
      if (sgd.stateSlots() == 0) {
        for (int i = 0; i < count; i++) {
          w[i] -= lr * g[i];
        }
        return;
      }
      float keep = step == 0 ? 0 : momentum;
      float take = step == 0 ? 1 : (float) (1 - sgd.dampening());
      for (int i = 0; i < count; i++) {
        m[i] = keep * m[i] + take * g[i];
      }
      float ahead = sgd.nesterov() ? momentum : 0;
      float now = sgd.nesterov() ? 1 : 0;
      float past = sgd.nesterov() ? ahead : 1;
      for (int i = 0; i < count; i++) {
        w[i] -= lr * (now * g[i] + past * m[i]);
      }
    }

    private void adam(double beta2, double epsilon, int count) {
      double beta1 = momentum;
      float keep1 = (float) beta1;
      float take1 = (float) (1 - beta1);
      float keep2 = (float) beta2;
      float take2 = (float) (1 - beta2);
      float rate = (float) (lr / (1 - Math.pow(beta1, step + 1)));
      float root = (float) Math.sqrt(1 - Math.pow(beta2, step + 1));
      float eps = (float) epsilon;
      for (int i = 0; i < count; i++) {
        m[i] = keep1 * m[i] + take1 * g[i];
        v[i] = keep2 * v[i] + take2 * g[i] * g[i];
        w[i] -= rate * m[i] / ((float) Math.sqrt(v[i]) / root + eps);
      }
    }
  }
}
