package convtrain.peers;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import convtrain.data.Dataset;
import java.nio.ByteBuffer;

/** Data as DJL's arrays, its trainer and its optimizer. */
final class DjlTrainee implements Trainee {
  private static final int TEST_BATCH = 1000;

  private final PeerRun run;
  private final NDManager manager = NDManager.newBaseManager();
  private final Model model = Model.newInstance("peer");
  private final Loss loss = Loss.softmaxCrossEntropyLoss();
  private final Trainer trainer;
  private final NDArray images;
  private final NDArray labels;

  DjlTrainee(PeerRun run) {
    this.run = run;
    model.setBlock(DjlNetwork.of(run, model.getNDManager()));
    Optimizer sgd =
        Optimizer.sgd()
            .setLearningRateTracker(Tracker.fixed(run.sgd().lr().floatValue()))
            .optMomentum(run.sgd().momentum().floatValue())
            .build();
    trainer = model.newTrainer(new DefaultTrainingConfig(loss).optOptimizer(sgd));
    images = images(run.train());
    labels = labels(run.train());
  }

  /** Bytes [N, C, H, W]. */
  private NDArray images(Dataset data) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(data.size() * data.shape().elements());
    for (int i = 0; i < data.size(); i++) {
      data.copyImage(i, bytes);
    }
    Shape shape =
        new Shape(
            data.size(), data.shape().channels(), data.shape().height(), data.shape().width());
    return manager.create(bytes.rewind(), shape, DataType.UINT8);
  }

  private NDArray labels(Dataset data) {
    long[] classes = new long[data.size()];
    for (int i = 0; i < classes.length; i++) {
      classes[i] = data.label(i);
    }
    return manager.create(classes);
  }

  @Override
  public Sums epoch(int[] order) {
    try (NDManager epoch = manager.newSubManager()) {
      NDArray samples = epoch.create(order).toType(DataType.INT64, false);
      NDArray lossSum = epoch.zeros(new Shape());
      NDArray correct = epoch.zeros(new Shape(), DataType.INT64);
      for (int from = 0; from < order.length; from += run.batchSize()) {
        int to = Math.min(from + run.batchSize(), order.length);
        try (NDManager step = epoch.newSubManager()) {
          NDArray chosen = samples.get(step, new NDIndex("%d:%d".formatted(from, to)));
          step(step, chosen, lossSum, correct);
        }
      }
      return new Sums(lossSum.getFloat(), correct.getLong());
    }
  }

  private void step(NDManager step, NDArray chosen, NDArray lossSum, NDArray correct) {
    NDArray x = normalized(images.get(step, new NDIndex("{}", chosen)));
    NDArray y = labels.get(step, new NDIndex("{}", chosen));
    try (GradientCollector collector = trainer.newGradientCollector()) {
      NDList logits = trainer.forward(new NDList(x));
      logits.attach(step);
      NDArray mean = loss.evaluate(new NDList(y), logits);
      mean.attach(step);
      collector.backward(mean);
      lossSum.addi(mean.mul(chosen.size()));
      correct.addi(hits(logits.singletonOrThrow(), y));
    }
    trainer.step();
  }

  private NDArray normalized(NDArray bytes) {
    float mean = run.config().data().normalize().means(run.graph().input())[0];
    float std = run.config().data().normalize().stds(run.graph().input())[0];
    return bytes.toType(DataType.FLOAT32, false).muli(1 / (255 * std)).addi(-mean / std);
  }

  private static NDArray hits(NDArray logits, NDArray y) {
    return logits.argMax(1).eq(y).toType(DataType.INT64, false).sum();
  }

  @Override
  public long correctOfTest() {
    NDArray testImages = images(run.test());
    NDArray testLabels = labels(run.test());
    long correct = 0;
    for (int from = 0; from < run.test().size(); from += TEST_BATCH) {
      NDIndex some =
          new NDIndex("%d:%d".formatted(from, Math.min(from + TEST_BATCH, run.test().size())));
      try (NDManager batch = manager.newSubManager()) {
        NDList logits = trainer.evaluate(new NDList(normalized(testImages.get(batch, some))));
        logits.attach(batch);
        correct += hits(logits.singletonOrThrow(), testLabels.get(batch, some)).getLong();
      }
    }
    return correct;
  }

  @Override
  public void close() {
    trainer.close();
    model.close();
    manager.close();
  }
}
