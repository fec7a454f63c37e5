package convtrain.report;

import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.TrainStart;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * A line per epoch on standard output, under a header; on a terminal a live bar below them.
 *
 * <p>Seconds are those of the epoch's training steps; the rate is of the same time.
 */
public final class ConsoleProgress implements TrainListener {
  private record Column(String header, int width) {}

  private final PrintStream out;
  private final boolean live;
  private final int columns;
  private final LongSupplier nanoTime;
  private TrainStart start;
  private long epochStartNanos;
  private long stepsBefore;
  private LiveBar bar;

  /**
   * @param live whether to draw the bar
   * @param columns width that the bar must not exceed
   * @param nanoTime the clock, {@link System#nanoTime}
   */
  ConsoleProgress(PrintStream out, boolean live, int columns, LongSupplier nanoTime) {
    this.out = out;
    this.live = live;
    this.columns = columns;
    this.nanoTime = nanoTime;
  }

  /** To standard output, with the bar if that is a terminal and {@code progress} is wanted. */
  public static ConsoleProgress onStandardOutput(boolean progress) {
    return new ConsoleProgress(
        System.out, progress && Terminal.isStandardOutput(), Terminal.columns(), System::nanoTime);
  }

  @Override
  public void started(TrainStart start) {
    this.start = start;
    List<String> headers = new ArrayList<>();
    layout(start.hasValidation()).forEach(column -> headers.add(column.header));
    println(line(start.hasValidation(), headers));
    stepsBefore = start.stepsBefore();
    epochStartNanos = nanoTime.getAsLong();
  }

  @Override
  public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
    if (!live) {
      return;
    }
    if (bar == null) {
      bar =
          new LiveBar(
              out, columns, start, epoch, stepsBefore, stepsPerEpoch, nanoTime, epochStartNanos);
    }
    bar.step(step, loss, accuracy);
  }

  @Override
  public void epoch(EpochRecord epoch) {
    closeBar();
    boolean validation = epoch.validationLoss() != null;
    List<String> cells = new ArrayList<>();
    cells.add(Integer.toString(epoch.epoch()));
    cells.add(rate(epoch.lr()));
    cells.add(loss(epoch.trainLoss()));
    cells.add(percent(epoch.trainAccuracy()));
    if (validation) {
      cells.add(loss(epoch.validationLoss()));
      cells.add(percent(epoch.validationAccuracy()));
    }
    cells.add(loss(epoch.testLoss()));
    cells.add(percent(epoch.testAccuracy()));
    cells.add(String.format(Locale.ROOT, "%.1f", epoch.trainSeconds()));
    cells.add(String.format(Locale.ROOT, "%,.0f", epoch.imagesPerSecond()));
    println(line(validation, cells));
    stepsBefore = 0;
    epochStartNanos = nanoTime.getAsLong();
  }

  @Override
  public void finished() {
    closeBar();
  }

  private void closeBar() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  private void println(String line) {
    out.print(line + "\n");
    out.flush();
  }

  private static List<Column> layout(boolean validation) {
    List<Column> columns =
        new ArrayList<>(
            List.of(
                new Column("epoch", 5),
                new Column("lr", 8),
                new Column("train loss", 10),
                new Column("train acc", 9)));
    if (validation) {
      columns.add(new Column("val loss", 8));
      columns.add(new Column("val acc", 7));
    }
    columns.add(new Column("test loss", 9));
    columns.add(new Column("test acc", 8));
    columns.add(new Column("seconds", 7));
    columns.add(new Column("images/s", 8));
    return columns;
  }

  private static String line(boolean validation, List<String> cells) {
    List<Column> columns = layout(validation);
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < cells.size(); i++) {
      line.append(i == 0 ? "" : "  ");
      line.append(" ".repeat(Math.max(0, columns.get(i).width - cells.get(i).length())));
      line.append(cells.get(i));
    }
    return line.toString();
  }

  /** Eight characters, 0.123457 or 1.23e-05. */
  private static String rate(double lr) {
    boolean plain = lr == 0 || lr >= 1e-3 && lr < 10;
    return String.format(Locale.ROOT, plain ? "%.6f" : "%.2e", lr);
  }

  /** At most eight characters, 0.1234 or 1.23e+05. */
  static String loss(double loss) {
    return String.format(Locale.ROOT, Math.abs(loss) < 1000 ? "%.4f" : "%.2e", loss);
  }

  static String percent(double share) {
    return String.format(Locale.ROOT, "%.2f%%", 100 * share);
  }
}
