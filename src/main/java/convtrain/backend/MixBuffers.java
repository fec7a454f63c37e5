package convtrain.backend;

/**
 * The memory that mixing works on.
 *
 * @param staged the batch [N, H, W, C]
 * @param labels [N] ints
 * @param x of staged's size; receives the mixed samples
 * @param targets [N, classes] floats; receives the mixed targets
 */
public record MixBuffers(
    DeviceBuffer staged, DeviceBuffer labels, DeviceBuffer x, DeviceBuffer targets) {}
