package convtrain.peers;

import convtrain.data.Dataset;
import java.nio.ByteBuffer;
import java.util.stream.IntStream;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** Batches gathered by us, trained by DL4J's {@code fit}. */
final class Dl4jTrainee implements Trainee {
  private static final int TEST_BATCH = 1000;

  private final PeerRun run;
  private final MultiLayerNetwork network;

  Dl4jTrainee(PeerRun run) {
    this.run = run;
    network = Dl4jNetwork.of(run);
  }

  @Override
  public Sums epoch(int[] order) {
    double loss = 0;
    for (int from = 0; from < order.length; from += run.batchSize()) {
      int count = Math.min(run.batchSize(), order.length - from);
      INDArray x = Nd4j.createUninitialized(DataType.FLOAT, shape(run.train(), count));
      INDArray y = Nd4j.zeros(DataType.FLOAT, count, run.graph().classes());
      gather(run.train(), order, from, x, y);
      network.fit(x, y);
      loss += network.score() * count;
    }
    // fit keeps no outputs to tell hits from.
    return new Sums(loss, Double.NaN);
  }

  private static long[] shape(Dataset data, int count) {
    return new long[] {count, data.shape().channels(), data.shape().height(), data.shape().width()};
  }

  private void gather(Dataset data, int[] order, int from, INDArray x, INDArray y) {
    float mean = run.config().data().normalize().means(run.graph().input())[0];
    float std = run.config().data().normalize().stds(run.graph().input())[0];
    ByteBuffer image = ByteBuffer.allocate(data.shape().elements());
    float[] values = new float[(int) x.length()];
    for (int i = 0; i < x.size(0); i++) {
      image.clear();
      data.copyImage(order[from + i], image);
      for (int p = 0; p < image.capacity(); p++) {
        values[i * image.capacity() + p] = ((image.get(p) & 0xFF) / 255f - mean) / std;
      }
      y.putScalar(i, data.label(order[from + i]), 1);
    }
    x.data().setData(values);
  }

  @Override
  public long correctOfTest() {
    long correct = 0;
    int[] order = IntStream.range(0, run.test().size()).toArray();
    for (int from = 0; from < order.length; from += TEST_BATCH) {
      int count = Math.min(TEST_BATCH, order.length - from);
      INDArray x = Nd4j.createUninitialized(DataType.FLOAT, shape(run.test(), count));
      INDArray y = Nd4j.zeros(DataType.FLOAT, count, run.graph().classes());
      gather(run.test(), order, from, x, y);
      INDArray found = network.output(x, false).argMax(1);
      correct += found.eq(y.argMax(1)).castTo(DataType.INT64).sumNumber().longValue();
    }
    return correct;
  }

  @Override
  public void close() {
    network.close();
  }
}
