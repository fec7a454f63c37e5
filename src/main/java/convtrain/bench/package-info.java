/**
 * What the engine measures of itself: epochs against what the device can do at most, the time from
 * nothing to an accuracy, where the time of a start goes, and each op of a step against what it
 * must compute and move.
 *
 * <p>Every figure is of real steps on the real data. {@link convtrain.bench.EpochBench} and {@link
 * convtrain.bench.TimeToAccuracy} measure one training, {@link convtrain.bench.Profiler} its steps;
 * {@link convtrain.bench.BenchGrid} says which trainings; {@link convtrain.bench.BenchReport} keeps
 * what came out with what it was measured on.
 */
package convtrain.bench;
