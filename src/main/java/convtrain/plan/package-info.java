/**
 * From a graph to what runs every step: the order of ops, what each fuses, and where every tensor
 * lies.
 *
 * <p>{@link convtrain.plan.PlanCompiler} decides everything once; a {@link convtrain.plan.Plan}
 * only replays. {@link convtrain.plan.RunState} holds what outlives a step: parameters, gradients,
 * optimizer state, clock, schedule and metrics.
 */
package convtrain.plan;
