package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.FloatBuffer;
import org.bytedeco.dnnl.batch_normalization_backward;
import org.bytedeco.dnnl.batch_normalization_forward;
import org.bytedeco.dnnl.binary;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;

/**
 * Batch norm that trains on bf16 of fewer than 16 channels, for which oneDNN has no vector code: r
 * = 16 / C neighbouring pixels count as one of 16 channels, and what oneDNN finds of those is put
 * together.
 *
 * <ul>
 *   <li>Forward, statistics m_p and v_p of the 16: a channel's mean m is the mean of its r m_p, its
 *       variance the mean of v_p + (m_p - m)^2. A second pass normalises by them.
 *   <li>Backward: with the statistics taken as given, oneDNN finds dx' = weight dy / s, s = sqrt(v
 *       + eps), and the sums that are the gradients of weight (w') and bias (b'), of which a
 *       channel's are the sums over its r. Of n elements a channel, the gradient through the
 *       statistics is dx = dx' + B x + A, B = -weight w' / (n s^2), A = -weight b' / (n s) - B m, a
 *       third pass; dx' is rounded to bf16 in between.
 * </ul>
 *
 * <p>Scratch memory: the primitives' own first, then y' as large as y, of which only the statistics
 * are wanted, then two vectors of 16 and two rows of the third pass.
 */
final class FoldedNorm implements NormKernels {
  private static final int LANES = 16;
  private static final long VECTOR_BYTES = LANES * Float.BYTES;

  /**
   * oneDNN's product with a row begins anew for each row: with rows of 16 elements that took 0.40
   * of the 0.52 ms back of 8 channels, 28 x 28 (benchmarks/cpu.md). So A and B are repeated to rows
   * of at most so many.
   */
  private static final int LONG_ROW = 1024;

  /** The argument of the second operation after the product; the first is the sum with dx. */
  private static final int ADDED_ROW = 2 * DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE | DNNL_ARG_SRC_1;

  private final Owned owned = new Owned();
  private final int channels;
  private final float eps;
  private final double perChannelCount;
  private final memory.desc folded;
  private final memory.desc vector;
  private final int rowLength;
  private final memory.desc rows;
  private final memory.desc row;
  private final memory.desc workspace;
  private final Kernel statistics;
  private final Kernel normalize;
  private final Kernel backward;
  private final Kernel correct;

  private FloatBuffer mean;
  private FloatBuffer variance;
  private FloatBuffer weight;
  private FloatBuffer weightGradient;
  private FloatBuffer biasGradient;

  /** Of the 16: mean, then gradient of weight. */
  private FloatBuffer lane;

  /** Of the 16: variance, then gradient of bias. */
  private FloatBuffer otherLane;

  private FloatBuffer slope;
  private FloatBuffer shift;

  FoldedNorm(Dnnl dnnl, int batch, Shape shape, boolean relu, float eps) {
    this.eps = eps;
    channels = shape.channels();
    perChannelCount = (double) batch * shape.height() * shape.width();
    Shape view = Shape.image(LANES, 1, shape.elements() / LANES);
    try {
      folded = owned.add(dnnl.activation(batch, view));
      vector = owned.add(Dnnl.vector(LANES));
      rowLength = rowLength(shape.elements());
      rows = owned.add(dnnl.matrix(batch * (shape.elements() / rowLength), rowLength));
      row = owned.add(Dnnl.rowMajor(1, rowLength));
      var first = describe(dnnl, 0);
      statistics = owned.add(new Kernel(dnnl, first, batch_normalization_forward::new));
      int flags =
          dnnl_use_global_stats
              | dnnl_use_scale
              | dnnl_use_shift
              | (relu ? dnnl_fuse_norm_relu : 0);
      var hint = describe(dnnl, flags);
      normalize = owned.add(new Kernel(dnnl, hint, batch_normalization_forward::new));
      workspace = owned.add(hint.workspace_desc());
      var desc =
          new batch_normalization_backward.primitive_desc(
              dnnl.engine(),
              dnnl_backward,
              folded,
              folded,
              folded,
              eps,
              flags,
              hint,
              dnnl.attributes(),
              false);
      backward = owned.add(new Kernel(dnnl, desc, batch_normalization_backward::new));
      correct = owned.add(correction(dnnl));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Whether oneDNN has no vector code for so many channels and pixels can be counted so. */
  static boolean suits(Dnnl dnnl, Shape shape) {
    int c = shape.channels();
    return dnnl.precision() == Precision.BF16
        && c < LANES
        && LANES % c == 0
        && shape.elements() % LANES == 0;
  }

  /** The longest row of whole vectors, within LONG_ROW, that a sample can be cut into. */
  private static int rowLength(int elements) {
    int length = Math.min(LONG_ROW, elements);
    while (length % LANES != 0 || elements % length != 0) {
      length--;
    }
    return length;
  }

  private batch_normalization_forward.primitive_desc describe(Dnnl dnnl, int flags) {
    return new batch_normalization_forward.primitive_desc(
        dnnl.engine(), dnnl_forward_training, folded, folded, eps, flags, dnnl.attributes(), false);
  }

  /** dx += B x + A. */
  private Kernel correction(Dnnl dnnl) {
    try (primitive_attr attributes = new primitive_attr();
        post_ops after = new post_ops()) {
      attributes.set_scratchpad_mode(dnnl_scratchpad_mode_user);
      after.append_sum();
      after.append_binary(algorithm.binary_add, row);
      attributes.set_post_ops(after);
      var desc =
          new binary.primitive_desc(
              dnnl.engine(), dnnl_binary_mul, rows, row, rows, attributes, false);
      return new Kernel(dnnl, desc, binary::new);
    }
  }

  @Override
  public int repeats() {
    return LANES / channels;
  }

  @Override
  public long workspaceBytes() {
    return workspace.get_size();
  }

  @Override
  public long scratchBytes() {
    return rowsStart() + 2 * rowBytes();
  }

  private long vectorsStart() {
    return ownScratch() + CpuBuffer.aligned(folded.get_size());
  }

  private long rowsStart() {
    return vectorsStart() + 2 * VECTOR_BYTES;
  }

  private long rowBytes() {
    return CpuBuffer.aligned(row.get_size());
  }

  private long ownScratch() {
    long bytes = Math.max(statistics.scratchBytes(), normalize.scratchBytes());
    bytes = Math.max(bytes, Math.max(backward.scratchBytes(), correct.scratchBytes()));
    return CpuBuffer.aligned(bytes);
  }

  @Override
  public boolean keepsOrder() {
    return true;
  }

  @Override
  public void bind(Binding b, Vectors vectors) {
    mean = CpuBuffer.floats(vectors.mean());
    variance = CpuBuffer.floats(vectors.variance());
    weight = CpuBuffer.floats(vectors.weight());
    DeviceBuffer firstVector = lanes(b, 0);
    DeviceBuffer secondVector = lanes(b, 1);
    lane = CpuBuffer.floats(firstVector);
    otherLane = CpuBuffer.floats(secondVector);
    statistics
        .with(DNNL_ARG_SRC, folded, b.x().get(0))
        .with(DNNL_ARG_DST, folded, b.scratch().slice(ownScratch(), folded.get_size()))
        .with(DNNL_ARG_MEAN, vector, firstVector)
        .with(DNNL_ARG_VARIANCE, vector, secondVector)
        .ready(b.scratch());
    normalize
        .with(DNNL_ARG_SRC, folded, b.x().get(0))
        .with(DNNL_ARG_DST, folded, b.y())
        .with(DNNL_ARG_SHIFT, vector, vectors.bias());
    bindCommon(normalize, vectors).ready(b.scratch());
    if (b.dy() != null) {
      bindBackward(b, vectors, firstVector, secondVector);
    }
  }

  private DeviceBuffer lanes(Binding b, int index) {
    return b.scratch().slice(vectorsStart() + index * VECTOR_BYTES, VECTOR_BYTES);
  }

  private DeviceBuffer row(Binding b, int index) {
    return b.scratch().slice(rowsStart() + index * rowBytes(), rowBytes());
  }

  private Kernel bindCommon(Kernel kernel, Vectors vectors) {
    kernel
        .with(DNNL_ARG_MEAN, vector, vectors.mean())
        .with(DNNL_ARG_VARIANCE, vector, vectors.variance())
        .with(DNNL_ARG_SCALE, vector, vectors.weight());
    return workspaceBytes() == 0
        ? kernel
        : kernel.with(DNNL_ARG_WORKSPACE, workspace, vectors.workspace());
  }

  private void bindBackward(
      Binding b, Vectors vectors, DeviceBuffer firstVector, DeviceBuffer secondVector) {
    weightGradient = CpuBuffer.floats(vectors.weightGradient());
    biasGradient = CpuBuffer.floats(vectors.biasGradient());
    DeviceBuffer dx = b.dx().get(0) == null ? b.dy() : b.dx().get(0);
    DeviceBuffer slopes = row(b, 0);
    DeviceBuffer shifts = row(b, 1);
    backward
        .with(DNNL_ARG_SRC, folded, b.x().get(0))
        .with(DNNL_ARG_DIFF_DST, folded, b.dy())
        .with(DNNL_ARG_DIFF_SRC, folded, dx)
        .with(DNNL_ARG_DIFF_SCALE, vector, firstVector)
        .with(DNNL_ARG_DIFF_SHIFT, vector, secondVector);
    bindCommon(backward, vectors).ready(b.scratch());
    slope = CpuBuffer.floats(slopes);
    shift = CpuBuffer.floats(shifts);
    correct
        .with(DNNL_ARG_SRC_0, rows, b.x().get(0))
        .with(DNNL_ARG_SRC_1, row, slopes)
        .with(ADDED_ROW, row, shifts)
        .with(DNNL_ARG_DST, rows, dx)
        .ready(b.scratch());
  }

  @Override
  public void forward() {
    statistics.execute();
    for (int c = 0; c < channels; c++) {
      double m = 0;
      for (int p = c; p < LANES; p += channels) {
        m += lane.get(p);
      }
      m /= repeats();
      double v = 0;
      for (int p = c; p < LANES; p += channels) {
        double apart = lane.get(p) - m;
        v += otherLane.get(p) + apart * apart;
      }
      fill(mean, LANES, c, (float) m);
      fill(variance, LANES, c, (float) (v / repeats()));
    }
    normalize.execute();
  }

  private void fill(FloatBuffer vector, int count, int channel, float value) {
    for (int p = channel; p < count; p += channels) {
      vector.put(p, value);
    }
  }

  @Override
  public void backward() {
    backward.execute();
    for (int c = 0; c < channels; c++) {
      double dw = 0;
      double db = 0;
      for (int p = c; p < LANES; p += channels) {
        dw += lane.get(p);
        db += otherLane.get(p);
      }
      weightGradient.put(c, (float) dw);
      biasGradient.put(c, (float) db);
      double square = variance.get(c) + (double) eps;
      double b = -weight.get(c) * dw / (perChannelCount * square);
      double a = -weight.get(c) * db / (perChannelCount * Math.sqrt(square)) - b * mean.get(c);
      fill(slope, rowLength, c, (float) b);
      fill(shift, rowLength, c, (float) a);
    }
    correct.execute();
  }

  @Override
  public String implementation() {
    return "%s on 16 | %s on 16 | %s"
        .formatted(normalize.implementation(), backward.implementation(), correct.implementation());
  }

  @Override
  public void close() {
    owned.close();
  }
}
