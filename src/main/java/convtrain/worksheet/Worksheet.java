package convtrain.worksheet;

import java.util.stream.Stream;

/** The iterations of one worksheet: gradient descent from the file's parameters. */
public final class Worksheet {
  /**
   * The network after some updates.
   *
   * @param n updates so far
   */
  record Iteration(int n, Parameters parameters, Forward forward, Backward backward) {}

  private final WorksheetSpec spec;
  private final double[] inputs;
  private final double[] targets;

  /** The worksheet of a file, with its learning rate and steps. */
  public Worksheet(WorksheetSpec spec) {
    this.spec = spec;
    inputs = spec.inputs().stream().mapToDouble(x -> x).toArray();
    targets = spec.targets().stream().mapToDouble(t -> t).toArray();
  }

  /** The same network and sample with another learning rate. */
  Worksheet withRate(double lr) {
    return new Worksheet(spec.with(lr, steps()));
  }

  Parameters.Sizes sizes() {
    return spec.parameters().sizes();
  }

  double[] inputs() {
    return inputs;
  }

  double[] targets() {
    return targets;
  }

  double lr() {
    return spec.lr();
  }

  int steps() {
    return spec.steps();
  }

  /** Before the first update. */
  Iteration first() {
    return iteration(0, spec.parameters());
  }

  /** From 0 updates to {@link #steps}, computed as they are taken. */
  Stream<Iteration> iterations() {
    return Stream.iterate(first(), this::next).limit(steps() + 1L);
  }

  /** E after 0, 1, ... {@link #steps} updates. */
  double[] errors() {
    return iterations().mapToDouble(at -> at.forward().error()).toArray();
  }

  /** E for these parameters. */
  double error(Parameters parameters) {
    return Forward.of(parameters, inputs, targets).error();
  }

  private Iteration next(Iteration at) {
    return iteration(at.n() + 1, at.parameters().updated(lr(), at.backward().gradients()));
  }

  private Iteration iteration(int n, Parameters parameters) {
    Forward forward = Forward.of(parameters, inputs, targets);
    return new Iteration(n, parameters, forward, Backward.of(parameters, inputs, targets, forward));
  }
}
