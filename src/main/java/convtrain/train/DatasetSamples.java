package convtrain.train;

import convtrain.backend.Samples;
import convtrain.data.Dataset;
import java.nio.ByteBuffer;

/** A data set as a feed reads it. */
record DatasetSamples(Dataset data) implements Samples {
  @Override
  public int count() {
    return data.size();
  }

  @Override
  public void copyImage(int index, ByteBuffer into) {
    data.copyImage(index, into);
  }

  @Override
  public int label(int index) {
    return data.label(index);
  }
}
