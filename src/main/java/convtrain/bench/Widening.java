package convtrain.bench;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelSpec;
import java.util.ArrayList;
import java.util.List;

/** Makes a network wider: more channels and features in each layer but the classifier. */
final class Widening {
  private Widening() {}

  /**
   * What has to be set in a run file.
   *
   * @param factor of every conv2d's out_channels and linear's out_features except the last such
   *     layer's, whose outputs are the classes
   * @throws ArithmeticException if a layer gets more than an int counts
   */
  static List<String> overrides(ModelSpec model, int factor) {
    List<String> overrides = new ArrayList<>();
    for (int i = 0; i < model.layers().size(); i++) {
      LayerSpec layer = model.layers().get(i);
      String place = "model.layers[" + i + "].";
      if (layer instanceof LayerSpec.Conv2d conv) {
        overrides.add(place + "out_channels=" + Math.multiplyExact(factor, conv.outChannels()));
      } else if (layer instanceof LayerSpec.Linear linear) {
        overrides.add(place + "out_features=" + Math.multiplyExact(factor, linear.outFeatures()));
      }
    }
    return overrides.isEmpty() ? overrides : overrides.subList(0, overrides.size() - 1);
  }
}
