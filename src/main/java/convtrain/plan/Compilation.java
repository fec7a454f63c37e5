package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.RandomState;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;

/**
 * What one plan is made from, for the parts of its making.
 *
 * @param result the tensor that the loss works on
 * @param factory makes the ops
 * @param owned takes what is made, and with it the plan
 */
record Compilation(
    Backend backend,
    ModelGraph graph,
    RunState state,
    PlanOptions options,
    int result,
    OpFactory factory,
    Owned owned) {
  static Compilation of(
      Backend backend, ModelGraph graph, RunState state, PlanOptions options, Owned owned) {
    OpFactory factory = backend.ops(options.batchSize(), options.training());
    int result = graph.lossInput(options.loss());
    return new Compilation(backend, graph, state, options, result, factory, owned);
  }

  RandomState random() {
    return new RandomState(options.seed(), state.clock());
  }

  /** What to say if a layer's op cannot be made or bound. */
  PlanException cannotMake(Node head, RuntimeException e) {
    return new PlanException(
        "%s with input %s and batch size %d cannot be made on %s: %s"
            .formatted(
                head.label(), head.in(), options.batchSize(), backend.name(), e.getMessage()),
        e);
  }
}
