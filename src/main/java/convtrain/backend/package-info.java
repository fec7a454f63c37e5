/**
 * What a device must provide: the whole contract in a few small types.
 *
 * <p>A {@link convtrain.backend.Backend} hands out memory and an {@link
 * convtrain.backend.OpFactory}; the factory turns each layer of a graph into a {@link
 * convtrain.backend.LayerOp}, in three phases: <em>make</em> (choose descriptors and algorithms,
 * state the memory needed), <em>bind</em> (receive places in the plan's arena), <em>run</em>
 * ({@code forward()} and {@code backward()}, which only enqueue: no allocation, no synchronisation,
 * no host read, so that a step can be captured once and replayed). The rest of a step, as staging
 * and the update, is an {@link convtrain.backend.Op} that is made with its memory and has no
 * backward pass. Adding a backend is one package and one {@link java.util.ServiceLoader} line.
 */
package convtrain.backend;
