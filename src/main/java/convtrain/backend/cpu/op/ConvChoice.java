package convtrain.backend.cpu.op;

import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Precision;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.dnnl.primitive_desc;

/**
 * Which of oneDNN's implementations runs a pass of a convolution. oneDNN lists them in an order of
 * its own; for few channels another than its first measured faster (benchmarks/cpu.md), so those
 * are named here. Measuring when a plan is made would adapt better, but then two runs on one
 * machine could choose differently and end in different bits.
 */
final class ConvChoice {
  /** The one of bf16 that is no matrix product, which of few channels is slower. */
  private static final String DIRECT_BF16 = "jit_bf16:avx512_core_bf16";

  private static final int VECTOR = 8;
  private static final int FEW = 32;
  private static final String DIRECT_16 = "jit:avx512_core";
  private static final String DIRECT_8 = "jit:avx2";
  private static final String POINTWISE_8 = "jit_1x1:avx2";
  private static final String MATRICES_8 = "brg_conv_fwd:avx2";

  private final boolean bf16;
  private final int in;
  private final int out;
  private final boolean few;

  /**
   * @param precision of what is multiplied
   * @param in C
   * @param out K
   * @param groups 1 for an ordinary convolution; others keep oneDNN's order
   */
  ConvChoice(Precision precision, int in, int out, int groups) {
    bf16 = precision == Precision.BF16;
    this.in = in;
    this.out = out;
    few = groups == 1 && Math.max(in, out) <= FEW;
  }

  /** Whether it is an ordinary one of so few channels that how it is computed was measured. */
  boolean few() {
    return few;
  }

  /**
   * Vectors run over K: of 16, or of 8 where there are no more or the processor has no longer ones.
   */
  <T extends primitive_desc> T forward(Supplier<T> desc) {
    if (bf16) {
      return first(desc, List.of(DIRECT_BF16));
    }
    if (out > VECTOR) {
      String shorter = in > VECTOR ? MATRICES_8 : DIRECT_8;
      return first(desc, List.of(DIRECT_16, POINTWISE_8, shorter));
    }
    return first(
        desc,
        in < 4 ? List.of(POINTWISE_8, DIRECT_16, DIRECT_8) : List.of(POINTWISE_8, MATRICES_8));
  }

  /** Vectors run over C. */
  <T extends primitive_desc> T backwardData(Supplier<T> desc) {
    if (bf16) {
      return first(desc, List.of(DIRECT_BF16));
    }
    return first(desc, in > VECTOR ? List.of(DIRECT_16) : List.of(POINTWISE_8, DIRECT_8));
  }

  /** Vectors run over K. In bf16 oneDNN's first choice is the fastest. */
  <T extends primitive_desc> T backwardWeights(Supplier<T> desc) {
    return first(desc, bf16 || out > VECTOR ? List.of() : List.of(POINTWISE_8, DIRECT_8));
  }

  /**
   * The first of the names that oneDNN offers here; its own first choice where it offers none.
   * Equal convolutions must choose by the same names: once oneDNN made a primitive, its list for
   * the same sizes repeats that one.
   */
  private <T extends primitive_desc> T first(Supplier<T> make, List<String> names) {
    if (few) {
      for (String name : names) {
        T desc = make.get();
        do {
          if (Kernel.implementation(desc).equals(name)) {
            return desc;
          }
        } while (desc.next_impl());
        desc.close();
      }
    }
    return make.get();
  }
}
