/**
 * Training: from a run file and its data to weights and the numbers that tell of them.
 *
 * <p>{@link convtrain.train.RunSetup} is what both decide together; {@link convtrain.train.Trainer}
 * replays {@link convtrain.train.Plans} once per batch and scores each epoch; {@link
 * convtrain.train.Course} says from the {@link convtrain.train.EpochRecord epochs' numbers} when
 * the run is over and which epoch is best; {@link convtrain.train.Checkpoint} is all that is needed
 * to go on. {@link convtrain.train.TrainedModel} evaluates and predicts with the {@link
 * convtrain.train.SafeTensors} that are left. A {@link convtrain.train.TrainListener} is told as it
 * goes; nothing here prints.
 *
 * <p>A step is one batch through a plan. An update changes the weights: it follows each step, or
 * with {@code accumulate_steps} each so many. Learning rates, moving averages and {@link
 * convtrain.train.EpochRecord#step} count updates, all else counts steps.
 */
package convtrain.train;
