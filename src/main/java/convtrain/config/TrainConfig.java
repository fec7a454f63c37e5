package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import convtrain.graph.EmaSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;
import convtrain.graph.UpdateSpec;

/**
 * The run file's {@code train}.
 *
 * @param epochs passes over the training samples
 * @param batchSize samples per step; default 128
 * @param loss default cross_entropy; its name alone will do in the file
 * @param optimizer default sgd with its defaults
 * @param schedule default constant
 * @param clipGradNorm bound of the gradients' norm; null for none
 * @param ema moving average that is scored and saved; null for none
 * @param accumulateSteps batches whose gradients are averaged for one update; default 1
 * @param precision of activations and products; default fp32
 * @param deterministic whether reruns give the same bits; default true
 * @param cudaGraph whether a GPU replays the step as one captured graph; default true
 */
public record TrainConfig(
    @JsonProperty(required = true) Integer epochs,
    Integer batchSize,
    LossSpec loss,
    OptimizerSpec optimizer,
    ScheduleSpec schedule,
    Double clipGradNorm,
    EmaSpec ema,
    Integer accumulateSteps,
    Precision precision,
    Boolean deterministic,
    Boolean cudaGraph) {
  public TrainConfig {
    epochs = Check.atLeast(1, Check.given(epochs, "epochs"), "epochs");
    batchSize = Check.atLeast(1, Check.or(batchSize, 128), "batch_size");
    loss = Check.or(loss, LossSpec.crossEntropy());
    optimizer = Check.or(optimizer, new OptimizerSpec.Sgd(null, null, null, null, null, null));
    schedule = Check.or(schedule, new ScheduleSpec.Constant(null));
    if (clipGradNorm != null) {
      Check.positive(clipGradNorm, "clip_grad_norm");
    }
    accumulateSteps = Check.atLeast(1, Check.or(accumulateSteps, 1), "accumulate_steps");
    precision = Check.or(precision, Precision.FP32);
    deterministic = Check.or(deterministic, true);
    cudaGraph = Check.or(cudaGraph, true);
    // PyTorch would start to use a momentum here that the optimizer was told not to have.
    if (schedule.cyclesMomentum()
        && optimizer instanceof OptimizerSpec.Sgd sgd
        && sgd.momentum() == 0) {
      throw new IllegalArgumentException(
          "schedule.cycle_momentum=true needs an optimizer with momentum, found sgd with"
              + " momentum=0; set schedule.cycle_momentum=false or give optimizer.momentum");
    }
  }

  /** How gradients become weights. */
  public UpdateSpec update() {
    return new UpdateSpec(optimizer, clipGradNorm, ema, accumulateSteps);
  }

  /** The learning rate and momentum of every update of a run with this many updates per epoch. */
  public LearningRates learningRates(int updatesPerEpoch) {
    return new LearningRates(schedule, optimizer, epochs, updatesPerEpoch);
  }
}
