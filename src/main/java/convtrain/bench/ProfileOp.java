package convtrain.bench;

import convtrain.graph.Shape;
import java.util.List;

/**
 * One entry of a step: a layer with those fused into it, or what else belongs to a step.
 *
 * @param name of the layers, {@code bn1 + relu1}; or what it is
 * @param kind the layers' types, or {@code stage}, {@code loss}, {@code update}, ...
 * @param phase {@code stage}, {@code forward}, {@code loss}, {@code backward}, {@code accumulate},
 *     {@code update}
 * @param in shape of a sample of each tensor that the forward pass reads
 * @param out shape of a sample of what it gives; null of what works on parameters
 * @param ms how long it took in the median step
 * @param spread over the steps
 * @param share of the sum over all entries, 0 to 1, by the medians
 * @param flops see {@link OpCost}
 * @param bytes see {@link OpCost}
 * @param gflopPerS at the median; null without FLOPs
 * @param gbPerS 1e9 bytes per second at the median
 * @param implementation what the device's library chose
 */
public record ProfileOp(
    String name,
    String kind,
    String phase,
    List<Shape> in,
    Shape out,
    double ms,
    ProfileTimes spread,
    double share,
    long flops,
    long bytes,
    Double gflopPerS,
    Double gbPerS,
    String implementation) {}
