package convtrain.testing;

import convtrain.graph.LayerSpec;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The reference of each layer type. */
public final class ReferenceOps implements LayerSpec.Visitor<ReferenceOp, ReferenceOp.Setting> {
  @Override
  public ReferenceOp conv2d(LayerSpec.Conv2d spec, ReferenceOp.Setting setting) {
    return new ReferenceConv2d(spec, setting);
  }

  @Override
  public ReferenceOp linear(LayerSpec.Linear spec, ReferenceOp.Setting setting) {
    return new ReferenceLinear(setting);
  }

  @Override
  public ReferenceOp batchNorm2d(LayerSpec.BatchNorm2d spec, ReferenceOp.Setting setting) {
    return new ReferenceBatchNorm2d(spec, setting);
  }

  @Override
  public ReferenceOp maxPool2d(LayerSpec.MaxPool2d spec, ReferenceOp.Setting setting) {
    return new ReferenceMaxPool2d(spec, setting);
  }

  @Override
  public ReferenceOp avgPool2d(LayerSpec.AvgPool2d spec, ReferenceOp.Setting setting) {
    return new ReferenceAvgPool2d(spec, setting);
  }

  @Override
  public ReferenceOp globalAvgPool(LayerSpec.GlobalAvgPool spec, ReferenceOp.Setting setting) {
    return new GlobalAvgPool(setting.in().height() * setting.in().width());
  }

  @Override
  public ReferenceOp activation(LayerSpec.Activation spec, ReferenceOp.Setting setting) {
    return new ReferenceActivation(spec);
  }

  @Override
  public ReferenceOp softmax(LayerSpec.AnySoftmax spec, ReferenceOp.Setting setting) {
    return new ReferenceSoftmax(spec.log(), setting);
  }

  @Override
  public ReferenceOp dropout(LayerSpec.Dropout spec, ReferenceOp.Setting setting) {
    boolean drops = setting.training() && setting.dropoutFactors() != null;
    return drops ? new Dropout(setting.dropoutFactors()) : new Identity();
  }

  @Override
  public ReferenceOp flatten(LayerSpec.Flatten spec, ReferenceOp.Setting setting) {
    return new Identity(); // row-major [N, C, H, W] is row-major [N, C H W]
  }

  @Override
  public ReferenceOp add(LayerSpec.Add spec, ReferenceOp.Setting setting) {
    return new Add(setting.node().inputs().size());
  }

  @Override
  public ReferenceOp concat(LayerSpec.Concat spec, ReferenceOp.Setting setting) {
    return new ReferenceConcat(setting);
  }

  private record Identity() implements ReferenceOp {
    @Override
    public double[] forward(List<double[]> x) {
      return x.get(0).clone();
    }

    @Override
    public Gradients backward(double[] dy) {
      return Gradients.ofInput(dy.clone());
    }
  }

  private record Dropout(double[] factors) implements ReferenceOp {
    @Override
    public double[] forward(List<double[]> x) {
      return times(x.get(0));
    }

    @Override
    public Gradients backward(double[] dy) {
      return Gradients.ofInput(times(dy));
    }

    private double[] times(double[] x) {
      double[] y = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        y[i] = factors[i] * x[i];
      }
      return y;
    }
  }

  private record Add(int inputs) implements ReferenceOp {
    @Override
    public double[] forward(List<double[]> x) {
      double[] y = new double[x.get(0).length];
      for (double[] each : x) {
        for (int i = 0; i < y.length; i++) {
          y[i] += each[i];
        }
      }
      return y;
    }

    @Override
    public Gradients backward(double[] dy) {
      return new Gradients(Collections.nCopies(inputs, dy), Map.of());
    }
  }

  private record GlobalAvgPool(int pixels) implements ReferenceOp {
    @Override
    public double[] forward(List<double[]> x) {
      double[] y = new double[x.get(0).length / pixels];
      for (int i = 0; i < x.get(0).length; i++) {
        y[i / pixels] += x.get(0)[i] / pixels;
      }
      return y;
    }

    @Override
    public Gradients backward(double[] dy) {
      double[] dx = new double[dy.length * pixels];
      for (int i = 0; i < dx.length; i++) {
        dx[i] = dy[i / pixels] / pixels;
      }
      return Gradients.ofInput(dx);
    }
  }
}
