package convtrain.report;

import convtrain.graph.ModelSummary;
import convtrain.train.MemoryNeeds;
import java.util.List;
import java.util.Locale;

/** What {@code convtrain summary} shows: a row per layer, totals, and the memory of a run. */
public final class SummaryTable {
  private SummaryTable() {}

  /** Layer table and totals; lines end in line feeds. */
  public static String render(ModelSummary summary, String name) {
    return name + "\n\n" + layers(summary) + "\n" + totals(summary);
  }

  /**
   * A line for each part of the memory, and one for all.
   *
   * @param device in words
   */
  public static String memory(MemoryNeeds memory, String device) {
    StringBuilder text = new StringBuilder("memory on " + device + "\n");
    memory.parts().forEach(part -> line(text, part.what(), bytes(part.bytes())));
    line(text, "memory in all", bytes(memory.bytes()));
    return text.toString();
  }

  private static String layers(ModelSummary summary) {
    boolean chain = true;
    for (int i = 0; i < summary.rows().size(); i++) {
      chain &= inputs(summary.rows(), i).isEmpty();
    }
    TextTable table = new TextTable().left("layer (type)");
    if (!chain) {
      table.left("inputs");
    }
    table.left("output shape").right("parameters").right("MACs").right("receptive field");
    for (int i = 0; i < summary.rows().size(); i++) {
      ModelSummary.Row row = summary.rows().get(i);
      String layer = row.name() + " (" + row.type() + ")";
      String parameters = grouped(row.parameters());
      String macs = grouped(row.macs());
      String field = row.receptiveField().h() + " x " + row.receptiveField().w();
      if (chain) {
        table.row(layer, row.out(), parameters, macs, field);
      } else {
        table.row(layer, inputs(summary.rows(), i), row.out(), parameters, macs, field);
      }
    }
    return table.render();
  }

  /** The names of a layer's inputs; empty if it is fed by the layer before alone. */
  private static String inputs(List<ModelSummary.Row> rows, int i) {
    String before = i == 0 ? "input" : rows.get(i - 1).name();
    List<String> inputs = rows.get(i).inputs();
    return inputs.equals(List.of(before)) ? "" : String.join(", ", inputs);
  }

  private static String totals(ModelSummary summary) {
    StringBuilder text = new StringBuilder();
    line(text, "trainable parameters", grouped(summary.trainable()));
    line(text, "buffers", grouped(summary.buffers()));
    line(
        text,
        "forward pass",
        "%s MACs = %s MFLOP per image (2 FLOP per MAC)"
            .formatted(grouped(summary.macs()), millions(2 * summary.macs())));
    line(
        text,
        "training step",
        "%s MACs = %s MFLOP per image (3 x forward: output, input gradient, weight gradient)"
            .formatted(grouped(3 * summary.macs()), millions(6 * summary.macs())));
    return text.toString();
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(what).append(": ").append(value).append('\n');
  }

  private static String grouped(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  private static String millions(long count) {
    return String.format(Locale.ROOT, "%,.3f", count / 1e6);
  }

  private static String bytes(long bytes) {
    return bytes < 1024
        ? bytes + " B"
        : bytes < 1 << 20
            ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0)
            : String.format(Locale.ROOT, "%,.1f MiB", bytes / 1048576.0);
  }
}
