package convtrain.backend;

import convtrain.graph.EmaSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.List;

/**
 * Makes the ops of one plan, for one batch size. One method per layer type comes from {@link
 * LayerSpec.Visitor}; the rest of a step (staging, loss, update) are ops too.
 */
public interface OpFactory extends LayerSpec.Visitor<LayerOp, LayerContext> {
  /** What activations and their gradients are stored and multiplied in. */
  Precision precision();

  /**
   * Whether a tensor may follow another in the same memory only if both have one size, so that each
   * byte stays with the core that works on its part of the batch; takes more memory.
   */
  default boolean sharesMemoryBySize() {
    return false;
  }

  /** How the tensor is stored so that this backend's ops read it fastest. */
  ParameterLayout parameterLayout(Node node, ParameterSpec parameter);

  /** Whether the op of {@code node} can also compute {@code next}, given what it already fused. */
  boolean fuses(Node node, List<Node> fused, Node next);

  /**
   * The feed's batch as normalised [N, H, W, C] activations and device labels (forward only).
   * Interpolation is between normalised pixels p00, p01 and, a row below, p10, p11, by the place's
   * fractions fx, fy, each operation rounded on its own: {@code t = p00 + fx (p01 - p00); b = p10 +
   * fx (p11 - p10); x = t + fy (b - t)}.
   *
   * <p>On some backends it also draws the dropout masks of the step, and so is made after the
   * layers of its plan: a dropout layer that is made later has no mask and fails.
   *
   * @param feed of this backend; its batch has this plan's samples when the op runs
   * @param augmentation null leaves the images as they are
   */
  Op stage(
      Feed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels);

  /**
   * Mixes each sample of a staged batch with another (forward only).
   *
   * @param image shape of a sample
   * @param random seed and step of the run
   */
  Op mix(MixSpec mix, Shape image, int classes, RandomState random, MixBuffers buffers);

  /**
   * The mean loss over the batch and, if it is asked for, its gradient; adds to the metrics (see
   * {@link StepMetrics}). {@link LossSpec} gives the formulas. Forward only.
   */
  Op loss(LossSpec loss, int classes, LossBuffers buffers);

  /** total = sum of the parts, for a tensor that several layers read (forward only). */
  Op sum(List<DeviceBuffer> parts, DeviceBuffer total);

  /**
   * Adds the gradients of a batch to those that wait for an update, and counts the batch in the
   * clock (forward only).
   *
   * @param sum of the gradients' size; the first batch after an update begins it anew
   */
  Op accumulate(DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock);

  /** One optimizer step over the flat buffers, then the clock advances (forward only). */
  Op update(UpdateRule rule, UpdateBuffers buffers);

  /**
   * The moving average of all tensors, after an update (forward only).
   *
   * @param values the flat buffer; floats
   * @param averages of the same size and order
   */
  Op average(EmaSpec ema, DeviceBuffer values, DeviceBuffer averages, DeviceBuffer clock);
}
