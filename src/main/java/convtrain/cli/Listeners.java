package convtrain.cli;

import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.TrainStart;
import java.util.ArrayList;
import java.util.List;

/** Tells several listeners, in the order in which they were added. */
final class Listeners implements TrainListener {
  private final List<TrainListener> listeners = new ArrayList<>();

  void add(TrainListener listener) {
    listeners.add(listener);
  }

  @Override
  public void started(TrainStart start) {
    listeners.forEach(listener -> listener.started(start));
  }

  @Override
  public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
    for (TrainListener listener : listeners) {
      listener.step(epoch, step, stepsPerEpoch, loss, accuracy);
    }
  }

  @Override
  public void epoch(EpochRecord epoch) {
    listeners.forEach(listener -> listener.epoch(epoch));
  }

  @Override
  public void checkpointDue() {
    listeners.forEach(TrainListener::checkpointDue);
  }

  /** Every listener is told, even if one fails; the first failure is passed on. */
  @Override
  public void finished() {
    RuntimeException first = null;
    for (TrainListener listener : listeners) {
      try {
        listener.finished();
      } catch (RuntimeException e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
