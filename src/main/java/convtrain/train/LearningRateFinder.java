package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.StepMetrics;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * The learning-rate range test of Smith, "Cyclical Learning Rates for Training Neural Networks"
 * (2017), section 3.3: training while the rate rises from batch to batch, here by a constant
 * factor; the loss falls, levels off and at last grows.
 */
public final class LearningRateFinder implements AutoCloseable {
  /** Losses of single batches jump; each counts with a share of 1 - SMOOTHING. */
  private static final double SMOOTHING = 0.95;

  /** The test is over when the smoothed loss is so many times its least. */
  private static final double HOPELESS = 4;

  /**
   * A batch.
   *
   * @param lr its update's learning rate
   * @param loss mean over the batch, before the update
   * @param smoothed exponential mean of the losses so far, free of the bias of its start
   */
  public record Point(double lr, double loss, double smoothed) {}

  private final RunConfig run;
  private final double first;
  private final double factor;
  private final int steps;
  private final Rehearsal rehearsal;

  /**
   * @param run gives network, data and optimizer; its schedule plays no part
   * @param first learning rate of the first batch
   * @param last learning rate of the last batch
   * @param steps batches, at least 2
   */
  public LearningRateFinder(
      Backend backend, RunConfig run, Dataset train, double first, double last, int steps) {
    this.run = run;
    this.first = first;
    this.steps = steps;
    factor = Math.pow(last / first, 1.0 / (steps - 1));
    rehearsal = Rehearsal.ofTraining(backend, run, train, table());
  }

  private double lr(int step) {
    return first * Math.pow(factor, step);
  }

  private float[] table() {
    float[] table = new float[2 * steps];
    for (int step = 0; step < steps; step++) {
      table[2 * step] = (float) lr(step);
      table[2 * step + 1] = (float) run.train().optimizer().momentumLike();
    }
    return table;
  }

  /**
   * Trains until the last rate is reached, the loss is hopeless, or {@code stop} says so.
   *
   * @return the batches trained, those with a finite loss
   */
  public List<Point> find(BooleanSupplier stop) {
    List<Point> points = new ArrayList<>();
    double mean = 0;
    double best = Double.POSITIVE_INFINITY;
    while (points.size() < steps && !stop.getAsBoolean()) {
      rehearsal.nextBatch();
      rehearsal.state().clearMetrics();
      rehearsal.plan().step();
      StepMetrics metrics = rehearsal.state().metrics();
      int step = points.size();
      mean = SMOOTHING * mean + (1 - SMOOTHING) * metrics.loss();
      double smoothed = mean / (1 - Math.pow(SMOOTHING, step + 1));
      best = Math.min(best, smoothed);
      if (!(smoothed <= HOPELESS * best)) {
        break;
      }
      points.add(new Point(lr(step), metrics.loss(), smoothed));
    }
    return points;
  }

  /** The rate at which the smoothed loss is least. */
  public static double lowest(List<Point> points) {
    return points.stream().min(Comparator.comparingDouble(Point::smoothed)).orElseThrow().lr();
  }

  /**
   * The rate about which the smoothed loss falls fastest over the logarithm of the rate, before it
   * is least: a rate to start from.
   */
  public static double steepest(List<Point> points) {
    double lowest = lowest(points);
    int span = Math.max(1, points.size() / 20);
    double steepest = points.get(0).lr();
    double fastest = 0;
    for (int i = span; i + span < points.size() && points.get(i).lr() <= lowest; i++) {
      double fall = points.get(i - span).smoothed() - points.get(i + span).smoothed();
      if (fall > fastest) {
        fastest = fall;
        steepest = points.get(i).lr();
      }
    }
    return steepest;
  }

  @Override
  public void close() {
    rehearsal.close();
  }
}
