package convtrain.train;

import convtrain.config.Keep;
import convtrain.config.Monitor;
import convtrain.config.ScheduleSpec.ReduceOnPlateau;
import convtrain.config.TrainConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * The epochs of a run so far and what follows from their numbers: which weights are kept, whether
 * training stops early, the base learning rate. A resumed run has it from the same numbers.
 */
final class Course {
  private final TrainConfig train;
  private final List<EpochRecord> epochs = new ArrayList<>();
  private final BestEpoch best;
  private final Stagnation stagnation;
  private final Plateau plateau;

  Course(TrainConfig train) {
    this.train = train;
    Monitor monitor = train.monitor();
    best = train.keep() == Keep.BEST ? new BestEpoch(monitor) : null;
    stagnation = new Stagnation(train.earlyStopping(), monitor);
    plateau =
        train.schedule() instanceof ReduceOnPlateau rule
            ? new Plateau(rule, monitor, train.optimizer().lr())
            : null;
  }

  void add(EpochRecord epoch) {
    epochs.add(epoch);
    if (best != null) {
      best.add(epoch);
    }
    stagnation.add(epoch);
    if (plateau != null) {
      plateau.add(epoch);
    }
  }

  List<EpochRecord> epochs() {
    return List.copyOf(epochs);
  }

  /** Null before the first epoch's end. */
  EpochRecord last() {
    return epochs.isEmpty() ? null : epochs.get(epochs.size() - 1);
  }

  /** The epoch whose weights are kept if the run ends now; null before the first epoch's end. */
  EpochRecord kept() {
    return best == null ? last() : best.get();
  }

  /** The learning rate that the schedule starts from in the epochs to come. */
  double baseLr() {
    return plateau == null ? train.optimizer().lr() : plateau.lr();
  }

  boolean stoppedEarly() {
    return stagnation.isOver() && epochs.size() < train.epochs();
  }

  boolean isComplete() {
    return epochs.size() == train.epochs() || stoppedEarly();
  }
}
