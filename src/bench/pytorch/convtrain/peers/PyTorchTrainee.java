package convtrain.peers;

import static org.bytedeco.pytorch.global.torch.clear_cache;
import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.from_blob;
import static org.bytedeco.pytorch.global.torch.manual_seed;
import static org.bytedeco.pytorch.global.torch.set_autocast_dtype;
import static org.bytedeco.pytorch.global.torch.set_autocast_enabled;
import static org.bytedeco.pytorch.global.torch.zeros;

import convtrain.data.Dataset;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Data, network and optimizer as PyTorch's tensors; autograd and its own SGD train. */
final class PyTorchTrainee implements Trainee {
  private static final int TEST_BATCH = 1000;

  private final PeerRun run;
  private final PyTorchVariant variant;
  private final PyTorchNetwork network;
  private final SGD sgd;
  private final boolean mixed;
  private final Tensor images;
  private final Tensor labels;
  private final Scalar scale;
  private final Scalar shift;
  private final LongOptional classAxis = new LongOptional(1);
  private final TensorOptional evenClasses = new TensorOptional();

  PyTorchTrainee(PeerRun run, PyTorchVariant variant) {
    this.run = run;
    this.variant = variant;
    manual_seed(run.config().seed());
    network = new PyTorchNetwork(run, variant);
    mixed = run.config().train().precision() == Precision.BF16;
    if (mixed) {
      set_autocast_dtype(DeviceType.CPU, ScalarType.BFloat16);
    }
    images = images(run.train());
    labels = labels(run.train());
    float mean = run.config().data().normalize().means(run.graph().input())[0];
    float std = run.config().data().normalize().stds(run.graph().input())[0];
    scale = new Scalar(1 / (255 * std));
    shift = new Scalar(-mean / std);
    OptimizerSpec.Sgd spec = run.sgd();
    SGDOptions options = new SGDOptions(spec.lr());
    options.momentum().put(spec.momentum());
    options.nesterov().put(true);
    sgd = new SGD(network.trainable(), options);
  }

  /** Bytes [N, 1, H, W]; with one channel they are NCHW and NHWC at once, the strides say which. */
  private Tensor images(Dataset data) {
    long h = data.shape().height();
    long w = data.shape().width();
    ByteBuffer bytes = ByteBuffer.allocate(data.size() * data.shape().elements());
    for (int i = 0; i < data.size(); i++) {
      data.copyImage(i, bytes);
    }
    Tensor flat = bytes(bytes.array());
    return variant.channelsLast()
        ? flat.view(-1, h, w, 1).permute(0, 3, 1, 2)
        : flat.view(-1, 1, h, w);
  }

  private static Tensor labels(Dataset data) {
    byte[] bytes = new byte[data.size()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) data.label(i);
    }
    return bytes(bytes).to(ScalarType.Long);
  }

  private static Tensor bytes(byte[] values) {
    try (BytePointer pointer = new BytePointer(values)) {
      return from_blob(
              pointer, new long[] {values.length}, null, new TensorOptions(ScalarType.Byte), null)
          .clone();
    }
  }

  @Override
  @SuppressWarnings("try") // the scope works by being open
  public Sums epoch(int[] order) {
    try (PointerScope scope = new PointerScope();
        IntPointer pointer = new IntPointer(order)) {
      Tensor samples =
          from_blob(
                  pointer, new long[] {order.length}, null, new TensorOptions(ScalarType.Int), null)
              .to(ScalarType.Long);
      Tensor lossSum = zeros(1);
      Tensor correct = zeros(1);
      for (int from = 0; from < order.length; from += run.batchSize()) {
        int count = Math.min(run.batchSize(), order.length - from);
        step(samples.narrow(0, from, count), lossSum, correct);
      }
      return new Sums(lossSum.item_double(), correct.item_double());
    }
  }

  @SuppressWarnings("try") // the scope works by being open
  private void step(Tensor chosen, Tensor lossSum, Tensor correct) {
    try (PointerScope scope = new PointerScope()) {
      Tensor x = normalized(images.index_select(0, chosen));
      Tensor y = labels.index_select(0, chosen);
      sgd.zero_grad(true);
      autocast(true);
      Tensor logits = network.forward(x, true);
      Tensor loss = cross_entropy_loss(logits, y, evenClasses, 1, -100, 0);
      autocast(false);
      loss.backward();
      sgd.step();
      lossSum.add_(loss.detach(), new Scalar(chosen.size(0)));
      correct.add_(hits(logits.detach(), y));
    }
  }

  /**
   * Enters or leaves PyTorch's mixed precision, as {@code torch.autocast} does: convolutions and
   * linear layers in bf16, with weights cast once a step; losses in fp32.
   */
  private void autocast(boolean on) {
    if (!mixed) {
      return;
    }
    set_autocast_enabled(DeviceType.CPU, on);
    if (!on) {
      clear_cache();
    }
  }

  private Tensor normalized(Tensor bytes) {
    return bytes.to(ScalarType.Float).mul_(scale).add_(shift);
  }

  private Tensor hits(Tensor logits, Tensor y) {
    return logits.argmax(classAxis, false).eq(y).sum();
  }

  @Override
  @SuppressWarnings("try") // the scope and the guard work by being open
  public long correctOfTest() {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Tensor testImages = images(run.test());
      Tensor testLabels = labels(run.test());
      long correct = 0;
      for (long from = 0; from < run.test().size(); from += TEST_BATCH) {
        long count = Math.min(TEST_BATCH, run.test().size() - from);
        autocast(true);
        Tensor logits = network.forward(normalized(testImages.narrow(0, from, count)), false);
        autocast(false);
        correct += hits(logits, testLabels.narrow(0, from, count)).item_long();
      }
      return correct;
    }
  }

  @Override
  public void close() {
    sgd.close();
    images.close();
    labels.close();
  }
}
