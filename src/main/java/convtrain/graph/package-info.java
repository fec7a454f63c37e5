/**
 * What a network is: layers, shapes, parameters and their arithmetic, independent of any device.
 *
 * <p>Data flow: {@code config -> graph -> plan -> backend -> train -> report}. A {@link
 * convtrain.graph.ModelSpec} (the run file's words) becomes a {@link convtrain.graph.ModelGraph}
 * (named nodes with inferred shapes and parameters). Everything a backend must agree on stands
 * here: {@link convtrain.graph.LayerSpec layer semantics}, {@link convtrain.graph.Window2d
 * geometry}, {@link convtrain.graph.OptimizerSpec update formulas} and {@link
 * convtrain.graph.Philox random numbers}. It imports no other package of ours.
 */
package convtrain.graph;
