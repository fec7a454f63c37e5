package convtrain.backend;

import convtrain.graph.AugmentSpec;
import convtrain.graph.EmaSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.UpdateSpec;
import java.util.List;
import java.util.Map;

/**
 * Makes the ops of one plan, for one batch size. One method per layer type comes from {@link
 * LayerSpec.Visitor}; the rest of a step (staging, loss, update) are ops too.
 */
public interface OpFactory extends LayerSpec.Visitor<LayerOp, OpFactory.Context> {
  /**
   * What an op is made for.
   *
   * @param node the layer with its shapes
   * @param fused layers that follow it and that this op also computes; accepted by {@link #fuses}
   * @param needsInputGradient per input, whether its gradient is wanted
   * @param layouts storage of each of its tensors, by name within the layer
   * @param random seed and step of the run, for dropout
   */
  record Context(
      Node node,
      List<Node> fused,
      List<Boolean> needsInputGradient,
      Map<String, ParameterLayout> layouts,
      RandomState random) {}

  /**
   * Where random masks come from.
   *
   * @param seed the run's seed
   * @param clock the run's step state, see {@link StepClock}
   */
  record RandomState(long seed, DeviceBuffer clock) {}

  /**
   * What turns bytes into the network's input: {@code x = (byte / 255 - mean[c]) / std[c]}.
   *
   * @param image shape of a sample
   * @param mean per channel
   * @param std per channel
   */
  record Normalization(Shape image, float[] mean, float[] std) {
    /**
     * x of every byte, 256 for each channel; in fp32, operation by operation, as PyTorch's ToTensor
     * and Normalize compute it.
     */
    public float[] table() {
      float[] table = new float[mean.length * 256];
      for (int i = 0; i < table.length; i++) {
        int c = i / 256;
        table[i] = ((i % 256) / 255f - mean[c]) / std[c];
      }
      return table;
    }
  }

  /**
   * How the images of a pass are varied, see {@link convtrain.graph.AugmentDraw}.
   *
   * @param seed the run's seed
   */
  record Augmentation(AugmentSpec spec, long seed) {}

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
   * @param feed of this backend; its batch has this plan's samples when the op runs
   * @param augmentation null leaves the images as they are
   */
  Op stage(
      Feed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels);

  /** Staging of images as they are. */
  default Op stage(Feed feed, Normalization normalization, DeviceBuffer x, DeviceBuffer labels) {
    return stage(feed, normalization, null, x, labels);
  }

  /**
   * Mixes each sample of a staged batch with another (forward only).
   *
   * @param image shape of a sample
   * @param staged [N, H, W, C]
   * @param labels [N] ints
   * @param x of staged's size; receives the mixed samples
   * @param targets [N, classes] floats; receives the mixed targets
   */
  Op mix(
      MixSpec mix,
      Shape image,
      int classes,
      RandomState random,
      DeviceBuffer staged,
      DeviceBuffer labels,
      DeviceBuffer x,
      DeviceBuffer targets);

  /**
   * The mean loss over the batch and, if {@code dz} is not null, its gradient; adds to the metrics
   * (see {@link StepMetrics}). {@link LossSpec} gives the formulas. Forward only.
   *
   * @param z [N, classes] of {@link #precision}: logits for cross-entropy, the network's output for
   *     mse
   * @param labels [N] ints
   * @param targets [N, classes] floats, each row summing to 1; null: one-hot of the labels
   * @param dz gradient of z; null: only scored
   */
  Op loss(
      LossSpec loss,
      int classes,
      DeviceBuffer z,
      DeviceBuffer labels,
      DeviceBuffer targets,
      DeviceBuffer dz,
      DeviceBuffer metrics,
      DeviceBuffer clock);

  /** total = sum of the parts, for a tensor that several layers read (forward only). */
  Op sum(List<DeviceBuffer> parts, DeviceBuffer total);

  /**
   * Adds the gradients of a batch to those that wait for an update, and counts the batch in the
   * clock (forward only).
   *
   * @param sum of the gradients' size; the first batch after an update begins it anew
   */
  Op accumulate(DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock);

  /**
   * What an update computes.
   *
   * @param optimizer the formula
   * @param clipGradNorm bound of the gradients' norm, see {@link UpdateSpec}; null: none
   * @param decayed how many floats weight decay applies to: those that stand first
   */
  record UpdateRule(OptimizerSpec optimizer, Double clipGradNorm, long decayed) {
    /** The optimizer's formula alone, with weight decay for all. */
    public static UpdateRule of(OptimizerSpec optimizer) {
      return new UpdateRule(optimizer, null, Long.MAX_VALUE);
    }
  }

  /**
   * One optimizer step over the flat buffers, then the clock advances (forward only).
   *
   * @param parameters trained values; floats
   * @param gradients of the same size and order; where the clock has batches pending, their sum
   * @param state {@link OptimizerSpec#stateSlots} times that size, slot after slot; starts at zero
   * @param schedule two floats per update of the run: learning rate, momentum (or beta1)
   * @param clock the run's step state
   */
  Op update(
      UpdateRule rule,
      DeviceBuffer parameters,
      DeviceBuffer gradients,
      DeviceBuffer state,
      DeviceBuffer schedule,
      DeviceBuffer clock);

  /**
   * The moving average of all tensors, after an update (forward only).
   *
   * @param values the flat buffer; floats
   * @param averages of the same size and order
   */
  Op average(EmaSpec ema, DeviceBuffer values, DeviceBuffer averages, DeviceBuffer clock);
}
