package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.Op;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Launch;
import java.util.ArrayList;
import java.util.List;

/** An op of the step that is no layer: it got its memory when made, and is a list of launches. */
abstract class StepOp implements Op {
  final Owned owned = new Owned();
  private final List<Launch> launches = new ArrayList<>();
  private final String implementation;

  StepOp(String implementation) {
    this.implementation = implementation;
  }

  final void then(Launch launch) {
    launches.add(launch);
  }

  @Override
  public final void bind(Binding binding) {
    throw new IllegalStateException("this op was bound when it was made");
  }

  @Override
  public final void forward() {
    for (int i = 0; i < launches.size(); i++) {
      launches.get(i).enqueue();
    }
  }

  @Override
  public final void backward() {
    throw new IllegalStateException("this op has no backward pass");
  }

  @Override
  public final String implementation() {
    return implementation;
  }

  @Override
  public final void close() {
    owned.close();
  }
}
