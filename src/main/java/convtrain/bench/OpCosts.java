package convtrain.bench;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.Plan.Phase;
import convtrain.plan.Work;
import java.util.List;
import java.util.function.Predicate;

/**
 * The cost of each entry of a plan, by the graph alone: whatever computes it, on whatever device.
 *
 * <p>N samples of a batch; e bytes of an element of an activation; |t| elements of a tensor, of one
 * sample where it is an activation; all else is held in 4 bytes. FLOPs, 2 per multiply-add:
 *
 * <pre>
 * conv2d     forward   2 N |y| (C / groups) R S
 * linear     forward   2 N out in
 * both       backward  the same for dw, and once more for dx where dx is wanted
 * all else   0
 * </pre>
 *
 * Bytes are the compulsory traffic: every tensor that the result depends on is read once, every
 * result is written once, as if caches held all that is needed again. Fused layers keep what is
 * between them to themselves. What an implementation keeps or needs beside (masks, indices of
 * maxima, workspaces, a second pass of batch norm over x) is not counted.
 *
 * <pre>
 * layer      forward   N e (sum of |x| + |y|) + 4 |parameters|;  training also writes running statistics
 *            backward  N e (|dy| + sum of |dx| wanted) + 4 |gradients of parameters|
 *              conv2d, linear      + N e |x|, and 4 |w| where dx is wanted
 *              batch_norm2d        + N e |x| + 4 |weight|
 *              activation, softmax + N e |y|
 * stage                N (|image| + 4) + N (e |x| + 4)                    bytes and labels to x and labels
 * mix                  N (2 e |x| + 4 + 4 classes)
 * loss                 N (e |z| + labels 4 or mixed targets 4 |z|);  training also writes N e |dz|
 * sum                  N e (parts + 1) |t|
 * accumulate           3 * 4 |trained|                                    gradient; sum twice
 * update               (3 + 2 slots) 4 |trained|                          gradient; weight and state twice
 * average              3 * 4 |all tensors|                                value; average twice
 * </pre>
 */
final class OpCosts {
  private final long samples;
  private final int elementBytes;
  private final boolean training;
  private final boolean mixes;
  private final long classes;
  private final long trained;
  private final long all;
  private final int slots;

  /**
   * @param update what the plan's update computes; of a plan that scores it plays no part
   */
  OpCosts(Plan plan, ModelGraph graph, UpdateSpec update) {
    samples = plan.batchSize();
    elementBytes = plan.precision().elementBytes();
    training = plan.steps().stream().anyMatch(step -> step.phase() == Phase.BACKWARD);
    mixes = plan.steps().stream().anyMatch(step -> step.work().kind() == Work.Kind.MIX);
    classes = graph.classes();
    trained = graph.trainableParameters();
    all = graph.nodes().stream().mapToLong(node -> parameters(node, each -> true)).sum();
    slots = update.optimizer().stateSlots();
  }

  OpCost of(Plan.Step step) {
    Work work = step.work();
    return switch (work.kind()) {
      case LAYER -> step.phase() == Phase.BACKWARD ? backward(work) : forward(work);
      case STAGE -> moved(samples * (elements(work.in()) + 2 * Integer.BYTES) + batch(work.out()));
      case MIX -> moved(2 * batch(work.out()) + samples * (Integer.BYTES + classes * Float.BYTES));
      case LOSS -> moved(loss(work.out()));
      case SUM -> moved(batch(work.in()) + batch(work.out()));
      case ACCUMULATE -> moved(3 * Float.BYTES * trained);
      case UPDATE -> moved((3L + 2 * slots) * Float.BYTES * trained);
      case AVERAGE -> moved(3 * Float.BYTES * all);
    };
  }

  private static OpCost moved(long bytes) {
    return new OpCost(0, bytes);
  }

  private OpCost forward(Work work) {
    long parameterBytes = 0;
    for (Node node : work.layers()) {
      parameterBytes += Float.BYTES * parameters(node, each -> true);
      if (training) {
        parameterBytes += Float.BYTES * parameters(node, each -> !each.trainable());
      }
    }
    return new OpCost(product(work), batch(work.in()) + batch(work.out()) + parameterBytes);
  }

  private OpCost backward(Work work) {
    boolean anyInputGradient = work.inputGradients().contains(true);
    LayerSpec head = work.layers().get(0).spec();
    boolean multiplies = head instanceof LayerSpec.Conv2d || head instanceof LayerSpec.Linear;
    boolean normalizes = head instanceof LayerSpec.BatchNorm2d;
    long bytes = batch(work.out());
    for (int i = 0; i < work.in().size(); i++) {
      bytes += work.inputGradients().get(i) ? batch(work.in().get(i)) : 0;
    }
    if (multiplies || normalizes) {
      bytes += batch(work.in());
    } else if (head instanceof LayerSpec.Activation || head instanceof LayerSpec.AnySoftmax) {
      bytes += batch(work.out());
    }
    if (normalizes || multiplies && anyInputGradient) {
      bytes += Float.BYTES * parameters(work.layers().get(0), each -> each.name().equals("weight"));
    }
    for (Node node : work.layers()) {
      bytes += Float.BYTES * parameters(node, ParameterSpec::trainable);
    }
    return new OpCost(product(work) * (anyInputGradient ? 2 : 1), bytes);
  }

  /** FLOPs of the forward pass. */
  private long product(Work work) {
    long macs = work.layers().stream().mapToLong(node -> node.spec().macs(node.in())).sum();
    return Math.multiplyExact(2 * samples, macs);
  }

  private long loss(Shape z) {
    long given = mixes ? (long) Float.BYTES * z.elements() : Integer.BYTES;
    return batch(z) * (training ? 2 : 1) + samples * given;
  }

  private long batch(Shape shape) {
    return samples * elementBytes * shape.elements();
  }

  private long batch(List<Shape> shapes) {
    return samples * elementBytes * elements(shapes);
  }

  private static long elements(List<Shape> shapes) {
    return shapes.stream().mapToLong(Shape::elements).sum();
  }

  private static long parameters(Node node, Predicate<ParameterSpec> which) {
    return node.parameters().stream().filter(which).mapToLong(ParameterSpec::elements).sum();
  }
}
