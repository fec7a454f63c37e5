package convtrain.backend.cuda.op;

import convtrain.backend.Op;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Launch;
import java.util.ArrayList;
import java.util.List;

/** An op that is no layer and does nothing but start kernels, one after the other. */
abstract class LaunchList implements Op {
  final Owned owned = new Owned();
  private final List<Launch> launches = new ArrayList<>();
  private final String implementation;

  LaunchList(String implementation) {
    this.implementation = implementation;
  }

  final void then(Launch launch) {
    launches.add(launch);
  }

  @Override
  public final void forward() {
    for (int i = 0; i < launches.size(); i++) {
      launches.get(i).enqueue();
    }
  }

  @Override
  public final String implementation() {
    return implementation;
  }

  @Override
  public final void close() {
    owned.close();
  }
}
