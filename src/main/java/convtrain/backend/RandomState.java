package convtrain.backend;

/**
 * Where random masks come from.
 *
 * @param seed the run's seed
 * @param clock the run's step state, see {@link StepClock}
 */
public record RandomState(long seed, DeviceBuffer clock) {}
