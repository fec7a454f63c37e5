package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.NCHW;
import static convtrain.softcuda.CudnnFixture.NHWC;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.DriverFixture.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelSpec;
import convtrain.graph.Window2d;
import convtrain.testing.Golden;
import java.util.Arrays;
import java.util.stream.Stream;
import jcuda.driver.CUdeviceptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnSoftmaxAlgorithm;
import jcuda.jcudnn.cudnnSoftmaxMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The software cuDNN's results against PyTorch's, in both tensor formats. */
class SoftCudnnTest {
  private static final Golden LAYERS = Golden.load("layers");

  private CudnnFixture dnn;

  @BeforeEach
  void open() {
    SoftCuda.assumeAvailable();
    dnn = new CudnnFixture();
  }

  @AfterEach
  void close() {
    if (dnn != null) {
      dnn.close();
      assertThat(SoftCuda.leaks()).isEmpty();
      assertThat(SoftCuda.violations()).isEmpty();
    }
  }

  /** Cases of one layer of a kind, each in both formats. */
  private static Stream<Arguments> cases(Class<? extends LayerSpec> type) {
    return LAYERS.cases().stream()
        .filter(golden -> golden.spec("model", ModelSpec.class).layers().size() == 1)
        .filter(golden -> type.isInstance(layer(golden, LayerSpec.class)))
        .flatMap(golden -> Stream.of(arguments(golden, NCHW), arguments(golden, NHWC)));
  }

  private static <T extends LayerSpec> T layer(Golden.Case golden, Class<T> type) {
    LayerSpec spec = golden.spec("model", ModelSpec.class).layers().get(0);
    return type.isInstance(spec) ? type.cast(spec) : null;
  }

  private static Window2d window(Golden.Case golden) {
    ModelSpec model = golden.spec("model", ModelSpec.class);
    return model.layers().get(0).window(model.input());
  }

  private static boolean symmetric(Window2d window) {
    return window.padTop() == window.padBottom() && window.padLeft() == window.padRight();
  }

  static Stream<Arguments> convolutions() {
    return cases(LayerSpec.Conv2d.class).filter(each -> symmetric(window(golden(each))));
  }

  private static Golden.Case golden(Arguments each) {
    return (Golden.Case) each.get()[0];
  }

  @ParameterizedTest(name = "{0} format {1}")
  @MethodSource("convolutions")
  void convolutionsMatchPyTorchByEveryAlgorithm(Golden.Case golden, int format) {
    int groups = layer(golden, LayerSpec.Conv2d.class).groups();
    new ConvolutionCase(dnn, golden, format, window(golden), groups).check();
  }

  static Stream<Arguments> norms() {
    return cases(LayerSpec.BatchNorm2d.class);
  }

  @ParameterizedTest(name = "{0} format {1}")
  @MethodSource("norms")
  void batchNormsMatchPyTorch(Golden.Case golden, int format) {
    LayerSpec.BatchNorm2d spec = layer(golden, LayerSpec.BatchNorm2d.class);
    int mode = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;
    Bound x = bound(golden, "x", format);
    Bound y = result(golden, "y", format);
    cudnnTensorDescriptor parameters = dnn.tensor();
    ok(JCudnn.cudnnDeriveBNTensorDescriptor(parameters, x.shape, mode));
    int channels = golden.tensor("x").dims().get(1);
    CUdeviceptr scale = parameter(golden, "weight", channels, 1);
    CUdeviceptr bias = parameter(golden, "bias", channels, 0);
    CUdeviceptr runningMean = parameter(golden, "running_mean", channels, 0);
    CUdeviceptr runningVar = parameter(golden, "running_var", channels, 1);
    CUdeviceptr saveMean = dnn.empty(channels);
    CUdeviceptr saveInvVariance = dnn.empty(channels);
    ok(
        JCudnn.cudnnBatchNormalizationForwardTraining(
            dnn.handle,
            mode,
            ONE,
            ZERO,
            x.shape,
            x.memory,
            y.shape,
            y.memory,
            parameters,
            scale,
            bias,
            spec.momentum(),
            runningMean,
            runningVar,
            spec.eps(),
            saveMean,
            saveInvVariance));
    y.check();
    checkVector(golden, "after/batch_norm2d1.running_mean", runningMean);
    checkVector(golden, "after/batch_norm2d1.running_var", runningVar);

    Bound evaluated = result(golden, "y_eval", format);
    ok(
        JCudnn.cudnnBatchNormalizationForwardInference(
            dnn.handle,
            mode,
            ONE,
            ZERO,
            x.shape,
            x.memory,
            evaluated.shape,
            evaluated.memory,
            parameters,
            scale,
            bias,
            runningMean,
            runningVar,
            spec.eps()));
    evaluated.check();

    Bound dy = bound(golden, "dy", format);
    Bound dx = result(golden, "dx", format);
    CUdeviceptr dScale = dnn.empty(channels);
    CUdeviceptr dBias = dnn.empty(channels);
    ok(
        JCudnn.cudnnBatchNormalizationBackward(
            dnn.handle,
            mode,
            ONE,
            ZERO,
            ONE,
            ZERO,
            x.shape,
            x.memory,
            dy.shape,
            dy.memory,
            dx.shape,
            dx.memory,
            parameters,
            scale,
            dScale,
            dBias,
            spec.eps(),
            saveMean,
            saveInvVariance));
    dx.check();
    if (spec.affine()) {
      checkVector(golden, "gradients/batch_norm2d1.weight", dScale);
      checkVector(golden, "gradients/batch_norm2d1.bias", dBias);
    }
  }

  private CUdeviceptr parameter(Golden.Case golden, String name, int channels, float without) {
    String key = "parameters/batch_norm2d1." + name;
    float[] values = new float[channels];
    Arrays.fill(values, without);
    return dnn.device(golden.has(key) ? golden.tensor(key).floats() : values);
  }

  private void checkVector(Golden.Case golden, String name, CUdeviceptr memory) {
    Golden.Tensor expected = golden.tensor(name);
    Layout.check(name, NCHW, dnn.read(memory, expected.values().length), expected);
  }

  static Stream<Arguments> softmaxes() {
    return cases(LayerSpec.AnySoftmax.class);
  }

  @ParameterizedTest(name = "{0} format {1}")
  @MethodSource("softmaxes")
  void softmaxesMatchPyTorch(Golden.Case golden, int format) {
    int algorithm =
        layer(golden, LayerSpec.Softmax.class) == null
            ? cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_LOG
            : cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE;
    int mode = cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL;
    Bound x = bound(golden, "x", format);
    Bound y = result(golden, "y", format);
    ok(
        JCudnn.cudnnSoftmaxForward(
            dnn.handle, algorithm, mode, ONE, x.shape, x.memory, ZERO, y.shape, y.memory));
    y.check();
    Bound dy = bound(golden, "dy", format);
    Bound dx = result(golden, "dx", format);
    ok(
        JCudnn.cudnnSoftmaxBackward(
            dnn.handle,
            algorithm,
            mode,
            ONE,
            y.shape,
            y.memory,
            dy.shape,
            dy.memory,
            ZERO,
            dx.shape,
            dx.memory));
    dx.check();
  }

  /** A golden tensor, its descriptor and memory. */
  private final class Bound {
    final String name;
    final Golden.Tensor tensor;
    final int format;
    final cudnnTensorDescriptor shape;
    final CUdeviceptr memory;

    Bound(String name, Golden.Tensor tensor, int format, boolean filled) {
      this.name = name;
      this.tensor = tensor;
      this.format = format;
      shape = dnn.tensor(format, Layout.dims(tensor));
      memory =
          filled ? dnn.device(Layout.store(format, tensor)) : dnn.empty(tensor.values().length);
    }

    void check() {
      Layout.check(name, format, dnn.read(memory, tensor.values().length), tensor);
    }
  }

  private Bound bound(Golden.Case golden, String name, int format) {
    return new Bound(name, golden.tensor(name), format, true);
  }

  private Bound result(Golden.Case golden, String name, int format) {
    return new Bound(name, golden.tensor(name), format, false);
  }
}
