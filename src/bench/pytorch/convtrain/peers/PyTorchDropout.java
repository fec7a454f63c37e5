package convtrain.peers;

import static org.bytedeco.pytorch.global.torch.dropout;
import static org.bytedeco.pytorch.global.torch.empty;
import static org.bytedeco.pytorch.global.torch.native_dropout;

import java.util.SplittableRandom;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** y = x mask / (1 - p), with the mask from the source that a variant names. */
interface PyTorchDropout {
  Tensor apply(Tensor x);

  /**
   * Dropout of one layer.
   *
   * @param dims of x, [N, C, H, W]; a batch may have fewer samples than N
   */
  static PyTorchDropout of(PyTorchVariant variant, double p, long[] dims) {
    return switch (variant.dropout()) {
      case TORCH -> x -> dropout(x, p, true);
      case NATIVE -> x -> native_dropout(x, p, new BoolOptional(true)).get0();
      case RANDOM_BITS -> new RandomBits(variant, p, dims);
      case MASK_POOL -> new MaskPool(variant, p, dims);
    };
  }

  /** A flat tensor of n C H W elements seen as [n, C, H, W] in a variant's memory format. */
  private static Tensor shaped(Tensor flat, PyTorchVariant variant, long[] dims) {
    return variant.channelsLast()
        ? flat.view(-1, dims[2], dims[3], dims[1]).permute(0, 3, 1, 2)
        : flat.view(-1, dims[1], dims[2], dims[3]);
  }

  private static long elements(long[] dims) {
    long product = 1;
    for (long dim : dims) {
      product = Math.multiplyExact(product, dim);
    }
    return product;
  }

  /** Four 16-bit draws from each random word: a quarter of the generator's calls. */
  final class RandomBits implements PyTorchDropout {
    private final PyTorchVariant variant;
    private final long[] dims;
    private final Tensor words;
    private final Scalar firstKept;
    private final Scalar scale;

    RandomBits(PyTorchVariant variant, double p, long[] dims) {
      this.variant = variant;
      this.dims = dims;
      words =
          empty(new long[] {(elements(dims) + 3) / 4}, new TensorOptions(ScalarType.Long), null);
      firstKept = new Scalar((int) (Short.MIN_VALUE + Math.round(p * 65536)));
      scale = new Scalar((float) (1 / (1 - p)));
    }

    @Override
    public Tensor apply(Tensor x) {
      words.random_(Long.MIN_VALUE, new LongOptional());
      Tensor draws = words.view(ScalarType.Short).narrow(0, 0, x.numel());
      Tensor mask = draws.ge(firstKept).to(ScalarType.Float).mul_(scale);
      return x.mul(shaped(mask, variant, dims));
    }
  }

  /** Masks of twice the batch's elements, read from a random offset. */
  final class MaskPool implements PyTorchDropout {
    private final PyTorchVariant variant;
    private final long[] dims;
    private final long elements;
    private final Tensor pool;
    private final SplittableRandom random = new SplittableRandom(1);

    MaskPool(PyTorchVariant variant, double p, long[] dims) {
      this.variant = variant;
      this.dims = dims;
      elements = elements(dims);
      pool =
          empty(2 * elements)
              .bernoulli_(1 - p, new GeneratorOptional())
              .mul_(new Scalar((float) (1 / (1 - p))));
    }

    @Override
    public Tensor apply(Tensor x) {
      Tensor mask = pool.narrow(0, random.nextLong(elements + 1), x.numel());
      return x.mul(shaped(mask, variant, dims));
    }
  }
}
