package convtrain.backend.cpu.op;

import convtrain.backend.Binding;
import convtrain.backend.Op;

/** An op of the step that is no layer: it got its memory when made and has nothing to undo. */
abstract class ForwardOnly implements Op {
  @Override
  public final void bind(Binding binding) {
    throw new IllegalStateException("this op was bound when it was made");
  }

  @Override
  public final void backward() {
    throw new IllegalStateException("this op has no backward pass");
  }

  @Override
  public void close() {}
}
