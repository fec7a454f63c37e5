package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;

/**
 * The run file's {@code train}.
 *
 * @param epochs passes over the training samples
 * @param batchSize samples per step; default 128
 * @param loss default cross_entropy; its name alone will do in the file
 * @param optimizer default sgd with its defaults
 * @param schedule default constant
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
    Precision precision,
    Boolean deterministic,
    Boolean cudaGraph) {
  public TrainConfig {
    epochs = Check.atLeast(1, Check.given(epochs, "epochs"), "epochs");
    batchSize = Check.atLeast(1, Check.or(batchSize, 128), "batch_size");
    loss = Check.or(loss, LossSpec.crossEntropy());
    optimizer = Check.or(optimizer, new OptimizerSpec.Sgd(null, null, null, null, null));
    schedule = Check.or(schedule, new ScheduleSpec.Constant(null));
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

  /** The learning rate and momentum of every step of a run with this many steps per epoch. */
  public LearningRates learningRates(int stepsPerEpoch) {
    return new LearningRates(schedule, optimizer, epochs, stepsPerEpoch);
  }
}
