package convtrain.backend;

/**
 * The memory that the loss works on.
 *
 * @param z [N, classes] of {@link OpFactory#precision}: logits for cross-entropy, the network's
 *     output for mse
 * @param labels [N] ints
 * @param targets [N, classes] floats, each row summing to 1; null: one-hot of the labels
 * @param dz gradient of z; null: only scored
 * @param metrics of {@link StepMetrics}
 * @param clock the run's step state, see {@link StepClock}
 */
public record LossBuffers(
    DeviceBuffer z,
    DeviceBuffer labels,
    DeviceBuffer targets,
    DeviceBuffer dz,
    DeviceBuffer metrics,
    DeviceBuffer clock) {}
