package convtrain.peers;

import convtrain.backend.Backend;
import convtrain.graph.Precision;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.Trainer;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.ServiceLoader;
import java.util.function.IntFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** This engine, by the trainer that {@code scripts/convtrain train} uses. */
@Command(name = "ConvtrainPeer", mixinStandardHelpOptions = true)
public final class ConvtrainPeer extends PeerCommand {
  @Option(names = "--backend", defaultValue = "cpu", description = "cpu or cuda")
  private String backendName;

  @Option(names = "--precision", defaultValue = "fp32", description = "fp32, tf32, fp16 or bf16")
  private Precision precision;

  private Backend backend;

  public static void main(String[] args) {
    System.exit(commandLine(new ConvtrainPeer()).execute(args));
  }

  @Override
  String engine() {
    return "Convtrain";
  }

  @Override
  String mode() {
    return backendName.equals("cuda") ? "graph" : "";
  }

  @Override
  String version() {
    return backend.description();
  }

  @Override
  List<String> overrides() {
    return List.of("train.precision=" + precision.word());
  }

  @Override
  IntFunction<ByteBuffer> memory() {
    return size -> backend.hostBuffer(size);
  }

  @Override
  public Integer call() throws Exception {
    Backend.Provider provider =
        ServiceLoader.load(Backend.Provider.class).stream()
            .map(ServiceLoader.Provider::get)
            .filter(each -> each.name().equals(backendName))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "--backend=" + backendName + "; expected cpu or cuda"));
    try (Backend opened = provider.open(new Backend.Options(0, precision, true, true, false))) {
      backend = opened;
      return super.call();
    }
  }

  @Override
  Course train(PeerRun run) {
    Trainer.Data data = new Trainer.Data(run.train(), null, run.test());
    try (Trainer trainer = new Trainer(backend, run.config(), data, new TrainListener() {})) {
      trainer.train(() -> false);
      EpochRecord last = trainer.lastEpoch();
      return new Course(
          trainer.history().stream().map(EpochRecord::trainSeconds).toList(),
          last.trainLoss(),
          last.trainAccuracy(),
          last.testAccuracy());
    }
  }

  @Override
  Trainee open(PeerRun run) {
    throw new UnsupportedOperationException("the trainer has its own loop");
  }
}
