package convtrain.peers;

import java.util.Arrays;
import java.util.List;

/**
 * How PyTorch is asked to train: words joined by {@code +}, a memory format first, such as {@code
 * channels_last+mask_pool}.
 *
 * @param word what was asked for
 * @param channelsLast whether activations and weights lie in memory as NHWC; else as NCHW
 * @param reluInPlace whether ReLU overwrites its input
 * @param dropout where dropout's masks come from
 */
record PyTorchVariant(String word, boolean channelsLast, boolean reluInPlace, Dropout dropout) {
  private static final String FORMATS = "contiguous, channels_last";
  private static final String OPTIONS = "plain_relu, native_dropout, random_bits, mask_pool";

  /** Sources of dropout's masks. */
  enum Dropout {
    /** {@code torch::dropout}: a Bernoulli draw per element. */
    TORCH,
    /** {@code torch::native_dropout}: a Bernoulli draw per element into a mask of bytes. */
    NATIVE,
    /** Every 64 fresh random bits decide four elements; p rounded to 1 / 65536. */
    RANDOM_BITS,
    /** Masks drawn once, then read from a random place at each step. */
    MASK_POOL
  }

  /** The engine's name beside its time: what PyTorch itself does not offer is told apart. */
  String engine() {
    boolean own = dropout == Dropout.TORCH || dropout == Dropout.NATIVE;
    return own ? "PyTorch" : "PyTorch, foreign dropout";
  }

  static PyTorchVariant parse(String word) {
    List<String> parts = Arrays.asList(word.split("\\+", -1));
    boolean channelsLast =
        switch (parts.get(0)) {
          case "contiguous" -> false;
          case "channels_last" -> true;
          default -> throw unknown(word, parts.get(0), FORMATS);
        };
    boolean reluInPlace = true;
    Dropout dropout = Dropout.TORCH;
    for (String option : parts.subList(1, parts.size())) {
      switch (option) {
        case "plain_relu" -> reluInPlace = false;
        case "native_dropout" -> dropout = Dropout.NATIVE;
        case "random_bits" -> dropout = Dropout.RANDOM_BITS;
        case "mask_pool" -> dropout = Dropout.MASK_POOL;
        default -> throw unknown(word, option, OPTIONS);
      }
    }
    return new PyTorchVariant(word, channelsLast, reluInPlace, dropout);
  }

  private static IllegalArgumentException unknown(String word, String part, String known) {
    return new IllegalArgumentException(
        "--mode=%s: unknown \"%s\"; known there: %s".formatted(word, part, known));
  }
}
