package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import convtrain.graph.EmaSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
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
 * @param mixup null for none
 * @param cutmix null for none; not beside mixup
 * @param precision of activations and products; default fp32
 * @param deterministic whether reruns give the same bits; default true
 * @param cudaGraph whether a GPU replays the step as one captured graph; default true
 * @param keep which weights the model file holds at the end; default last
 * @param monitor what decides on keep, early stopping and reduce_on_plateau; default
 *     validation_loss
 * @param earlyStopping null to train all epochs
 * @param checkpointEvery default every epoch
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
    MixSpec.Mixup mixup,
    MixSpec.Cutmix cutmix,
    Precision precision,
    Boolean deterministic,
    Boolean cudaGraph,
    Keep keep,
    Monitor monitor,
    EarlyStopping earlyStopping,
    CheckpointEvery checkpointEvery) {
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
    keep = Check.or(keep, Keep.LAST);
    monitor = Check.or(monitor, Monitor.VALIDATION_LOSS);
    checkpointEvery = Check.or(checkpointEvery, new CheckpointEvery(null, null));
    if (mixup != null && cutmix != null) {
      throw new IllegalArgumentException("cutmix is given beside mixup; expected one of them");
    }
    // PyTorch would start to use a momentum here that the optimizer was told not to have.
    if (schedule.cyclesMomentum()
        && optimizer instanceof OptimizerSpec.Sgd sgd
        && sgd.momentum() == 0) {
      throw new IllegalArgumentException(
          "schedule.cycle_momentum=true needs an optimizer with momentum, found sgd with"
              + " momentum=0; set schedule.cycle_momentum=false or give optimizer.momentum");
    }
  }

  /** The first key whose meaning depends on {@link #monitor}; null if none does. */
  String monitored() {
    if (keep == Keep.BEST) {
      return "keep";
    }
    if (earlyStopping != null) {
      return "early_stopping";
    }
    return schedule instanceof ScheduleSpec.ReduceOnPlateau ? "schedule" : null;
  }

  /** Whether the result was chosen by the test set, and so is better than it ought to be. */
  public boolean choosesOnTest() {
    return monitored() != null && monitor.onTest();
  }

  /** How samples are mixed; null: not at all. */
  public MixSpec mix() {
    return mixup != null ? mixup : cutmix;
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
