package convtrain.report;

import convtrain.train.TrainStart;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressState;

/**
 * The bar of one epoch. A thread of the library draws it at most ten times a second; a step only
 * stores four numbers.
 */
final class LiveBar implements AutoCloseable {
  private static final int UPDATE_MILLIS = 100;
  private static final int MAX_BAR = 30;

  private final TrainStart start;
  private final int epoch;
  private final long stepsBefore;
  private final LongSupplier nanoTime;
  private final long startNanos;
  private final Line line;
  private final ProgressBar bar;
  private volatile double loss;
  private volatile double accuracy;
  private volatile long elapsedNanos;

  /**
   * @param stepsBefore steps of the epoch that were done when it was begun here
   * @param startNanos when it was begun here
   */
  LiveBar(
      PrintStream out,
      int columns,
      TrainStart start,
      int epoch,
      long stepsBefore,
      long stepsPerEpoch,
      LongSupplier nanoTime,
      long startNanos) {
    this.start = start;
    this.epoch = epoch;
    this.stepsBefore = stepsBefore;
    this.nanoTime = nanoTime;
    this.startNanos = startNanos;
    this.line = new Line(out, columns - 1);
    // The library's own console consumer opens JLine, under which Ctrl-C runs no shutdown hooks.
    this.bar =
        new ProgressBarBuilder()
            .setInitialMax(stepsPerEpoch)
            .setUpdateIntervalMillis(UPDATE_MILLIS)
            .setRenderer(this::render)
            .setConsumer(line)
            .build();
  }

  void step(long step, double loss, double accuracy) {
    this.loss = loss;
    this.accuracy = accuracy;
    this.elapsedNanos = nanoTime.getAsLong() - startNanos;
    bar.stepTo(step);
  }

  /** Erases the bar and leaves the cursor where it began. */
  @Override
  public void close() {
    // The library's close waits for its thread and would swallow an interrupt.
    boolean interrupted = Thread.interrupted();
    bar.close();
    line.erase();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private String render(ProgressState state, int maxLength) {
    return text(state.getCurrent(), state.getMax(), maxLength);
  }

  /** {@code epoch 3/20 [=====> ] 45% 4,321 images/s loss 0.0451 acc 98.61% ETA 0:07}. */
  String text(long step, long steps, int maxLength) {
    String head = "epoch %d/%d ".formatted(epoch, start.epochs());
    if (step <= stepsBefore) {
      return head;
    }
    double seconds = Math.max(elapsedNanos, 1) / 1e9;
    long images =
        Math.min(step * start.batchSize(), start.samplesPerEpoch())
            - stepsBefore * start.batchSize();
    String tail =
        String.format(
            Locale.ROOT,
            " %3d%%  %,.0f images/s  loss %s  acc %s  ",
            100 * step / steps,
            images / seconds,
            ConsoleProgress.loss(loss),
            ConsoleProgress.percent(accuracy));
    tail += step < steps ? "ETA " + eta(step, steps, seconds) : "testing";
    int width = Math.min(MAX_BAR, maxLength - head.length() - tail.length() - 2);
    return width < 3
        ? fitting(head + tail.strip(), maxLength)
        : head + bar(width, step, steps) + tail;
  }

  /** As many of the fields, two spaces between, as there is room for; a part of none. */
  private static String fitting(String text, int length) {
    while (text.length() > Math.max(0, length)) {
      text = text.substring(0, Math.max(0, text.lastIndexOf("  ")));
    }
    return text;
  }

  private static String bar(int width, long step, long steps) {
    int done = (int) (width * step / steps);
    return done == width
        ? "[" + "=".repeat(width) + "]"
        : "[" + "=".repeat(done) + ">" + " ".repeat(width - done - 1) + "]";
  }

  /** The epoch's remaining steps at the pace so far. */
  private String eta(long step, long steps, double seconds) {
    long left = Math.round(seconds / (step - stepsBefore) * (steps - step));
    return left < 3600
        ? "%d:%02d".formatted(left / 60, left % 60)
        : "%d:%02d:%02d".formatted(left / 3600, left / 60 % 60, left % 60);
  }

  /** One line of a terminal, drawn over and over with carriage returns alone. */
  private static final class Line implements ProgressBarConsumer {
    private final PrintStream out;
    private final int maxLength;
    private int shown;

    Line(PrintStream out, int maxLength) {
      this.out = out;
      this.maxLength = maxLength;
    }

    @Override
    public int getMaxRenderedLength() {
      return maxLength;
    }

    @Override
    public synchronized void accept(String text) {
      out.print("\r" + text + " ".repeat(Math.max(0, shown - text.length())));
      out.flush();
      shown = text.length();
    }

    synchronized void erase() {
      out.print("\r" + " ".repeat(shown) + "\r");
      out.flush();
      shown = 0;
    }

    @Override
    public void clear() {
      erase();
    }

    @Override
    public void close() {}
  }
}
