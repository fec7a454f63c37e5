package convtrain.bench;

import convtrain.graph.Shape;
import convtrain.report.TextTable;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A profile as text: a row for each op, sums for each phase, and what measuring cost. */
public final class ProfileTable {
  private ProfileTable() {}

  /** Lines that end in line feeds. */
  public static String render(Profile profile) {
    return header(profile) + "\n" + ops(profile) + "\n" + phases(profile) + "\n" + cost(profile);
  }

  private static String header(Profile profile) {
    return "%s: a step that %s, batch size %,d, %s\ndevice: %s\n%s; ms: the median\n"
        .formatted(
            profile.run(),
            profile.evaluation() ? "scores" : "trains",
            profile.batchSize(),
            profile.precision(),
            profile.device(),
            "%,d steps after %,d".formatted(profile.steps(), profile.warmup()));
  }

  private static String ops(Profile profile) {
    TextTable table =
        new TextTable().left("phase").left("layer").left("kind").left("in > out").right("ms");
    table.right("p95").right("%").right("GFLOP/s").right("GB/s").left("implementation");
    for (ProfileOp op : profile.ops()) {
      table.row(
          op.phase(),
          op.name(),
          op.kind(),
          shapes(op),
          decimals(op.ms(), 3),
          decimals(op.spread().p95(), 3),
          decimals(100 * op.share(), 1),
          rate(op.gflopPerS()),
          rate(op.gbPerS()),
          op.implementation());
    }
    return table.render();
  }

  private static String shapes(ProfileOp op) {
    if (op.out() == null) {
      return "";
    }
    String in = op.in().stream().map(ProfileTable::shape).collect(Collectors.joining(" + "));
    return in + " > " + shape(op.out());
  }

  private static String shape(Shape shape) {
    return IntStream.of(shape.dims()).mapToObj(String::valueOf).collect(Collectors.joining("x"));
  }

  private static String phases(Profile profile) {
    TextTable table = new TextTable().left("phase").right("ms").right("%").right("MFLOP");
    table.right("MB").right("GFLOP/s").right("GB/s");
    profile.phases().forEach(phase -> row(table, phase));
    row(table, profile.total());
    return table.render();
  }

  private static void row(TextTable table, Profile.Total total) {
    table.row(
        total.phase(),
        decimals(total.ms(), 3),
        decimals(100 * total.share(), 1),
        decimals(total.flops() / 1e6, 1),
        decimals(total.bytes() / 1e6, 1),
        rate(total.gflopPerS()),
        rate(total.gbPerS()));
  }

  private static String cost(Profile profile) {
    double plain = profile.plainMs().median();
    List<String> lines =
        List.of(
            String.format(
                Locale.ROOT,
                "a step replayed plainly %.3f ms, with moments marked between its ops %.3f ms:"
                    + " %s",
                plain,
                profile.timedMs().median(),
                marking(profile)),
            String.format(
                Locale.ROOT,
                "bringing a batch takes the host %.3f ms more, before the step",
                profile.feedMs().median()));
    return String.join("\n", lines) + "\n";
  }

  private static String marking(Profile profile) {
    double costs = profile.overheadMs();
    return costs < 0
        ? "what marking costs is less than the steps vary by themselves"
        : String.format(
            Locale.ROOT,
            "marking costs %.3f ms (%.1f %%)",
            costs,
            100 * costs / profile.plainMs().median());
  }

  private static String rate(Double perSecond) {
    return perSecond == null ? "" : decimals(perSecond, 1);
  }

  private static String decimals(double value, int digits) {
    return String.format(Locale.ROOT, "%,." + digits + "f", value);
  }
}
