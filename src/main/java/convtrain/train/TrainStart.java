package convtrain.train;

/**
 * What is known before the first step.
 *
 * @param epochs epochs the run will take
 * @param samplesPerEpoch training samples that an epoch goes through (with {@code drop_last},
 *     without those of the dropped batch)
 * @param batchSize samples of a full batch
 * @param stepsBefore steps of the first epoch that were done before, by a run that is taken up
 *     within it
 * @param hasValidation whether each epoch is scored on a validation split too
 */
public record TrainStart(
    int epochs, long samplesPerEpoch, int batchSize, int stepsBefore, boolean hasValidation) {}
