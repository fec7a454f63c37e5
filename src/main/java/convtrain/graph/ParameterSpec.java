package convtrain.graph;

import java.util.List;

/**
 * One tensor that a layer owns: a trained parameter, or a running statistic kept beside them.
 *
 * @param name the name within its layer: {@code weight}, {@code bias}, {@code running_mean}, {@code
 *     running_var}
 * @param dims PyTorch's dimensions, row-major: [K, C/groups, R, S] of a convolution, [out, in] of a
 *     linear layer, [C] of the rest
 * @param trainable whether the optimizer updates it
 * @param start the distribution of its initial values
 */
public record ParameterSpec(String name, List<Integer> dims, boolean trainable, Fill start) {
  public ParameterSpec {
    dims = List.copyOf(dims);
  }

  /** Elements of the tensor. */
  public int elements() {
    long product = 1;
    for (int dim : dims) {
      product = Math.multiplyExact(product, (long) dim);
    }
    return Math.toIntExact(product);
  }
}
