package convtrain.plan;

import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Joins the layers that the backend computes by one op, and makes the ops. */
final class Grouping {
  private final Compilation plan;
  private final boolean[] needsGradient;
  private final List<Group> groups = new ArrayList<>();

  private Grouping(Compilation plan) {
    this.plan = plan;
    needsGradient = new boolean[plan.graph().nodes().size()];
    for (Node node : plan.graph().nodes()) {
      needsGradient[node.index()] =
          plan.options().training()
              && (node.parameters().stream().anyMatch(ParameterSpec::trainable)
                  || node.inputs().stream().anyMatch(this::needsGradient));
    }
  }

  /** The groups in the order of the forward pass. */
  static List<Group> of(Compilation plan) {
    Grouping grouping = new Grouping(plan);
    grouping.join();
    return List.copyOf(grouping.groups);
  }

  /** What stands behind the tensor that the loss works on is left out: a final softmax. */
  private void join() {
    Map<Integer, Integer> uses = new HashMap<>();
    List<Node> nodes = plan.graph().nodes().subList(0, plan.result() + 1);
    nodes.forEach(node -> node.inputs().forEach(input -> uses.merge(input, 1, Integer::sum)));
    int next = 0;
    while (next < nodes.size()) {
      Node head = nodes.get(next++);
      List<Node> fused = new ArrayList<>();
      Node last = head;
      while (next < nodes.size()
          && uses.getOrDefault(last.index(), 0) == 1
          && nodes.get(next).inputs().equals(List.of(last.index()))
          && plan.factory().fuses(head, fused, nodes.get(next))) {
        last = nodes.get(next++);
        fused.add(last);
      }
      add(head, List.copyOf(fused), last.index());
    }
  }

  private void add(Node head, List<Node> fused, int output) {
    List<Boolean> needed = head.inputs().stream().map(this::needsGradient).toList();
    LayerOp op = make(head, fused, needed);
    groups.add(new Group(groups.size(), head, fused, output, needed, needsGradient(output), op));
  }

  private LayerOp make(Node head, List<Node> fused, List<Boolean> needed) {
    LayerContext context =
        new LayerContext(head, fused, needed, plan.state().layoutsOf(head), plan.random());
    try {
      return plan.owned().add(head.spec().accept(plan.factory(), context));
    } catch (RuntimeException e) {
      throw plan.cannotMake(head, e);
    }
  }

  /** Whether anything trained stands at or before a tensor's layer. */
  private boolean needsGradient(int tensor) {
    return tensor != Node.INPUT && needsGradient[tensor];
  }
}
