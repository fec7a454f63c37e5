package convtrain.bench;

/**
 * What an op must do at the least.
 *
 * @param flops multiplications and additions of convolutions and matrix products, 2 for each
 *     multiply-add; what is applied to single elements is not counted
 * @param bytes of the tensors that it reads or writes, each once
 */
public record OpCost(long flops, long bytes) {
  static final OpCost NOTHING = new OpCost(0, 0);

  OpCost plus(OpCost other) {
    return new OpCost(flops + other.flops, bytes + other.bytes);
  }
}
