package convtrain.backend;

import convtrain.graph.OptimizerSpec;

/**
 * The memory that an update works on; the first three are flat buffers in one order.
 *
 * @param parameters trained values; floats
 * @param gradients of the same size; where the clock has batches pending, their sum
 * @param state {@link OptimizerSpec#stateSlots} times that size, slot after slot; starts at zero
 * @param schedule two floats per update of the run: learning rate, momentum (or beta1)
 * @param clock the run's step state, see {@link StepClock}
 */
public record UpdateBuffers(
    DeviceBuffer parameters,
    DeviceBuffer gradients,
    DeviceBuffer state,
    DeviceBuffer schedule,
    DeviceBuffer clock) {}
