package convtrain.peers;

import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.nativeblas.NativeOpsHolder;
import picocli.CommandLine.Command;

/** DL4J on the CPU, its build with oneDNN. */
@Command(name = "Dl4jPeer", mixinStandardHelpOptions = true)
public final class Dl4jPeer extends PeerCommand {
  public static void main(String[] args) {
    // Its own banner and its advice about a missing logger are no part of the line.
    System.setProperty("org.nd4j.log.initialization", "false");
    System.exit(commandLine(new Dl4jPeer()).execute(args));
  }

  @Override
  String engine() {
    return "DL4J";
  }

  @Override
  String mode() {
    return "contiguous";
  }

  @Override
  String version() {
    // Its jars do not say their version but by their names.
    String jar =
        MultiLayerNetwork.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    return "%s, %s threads"
        .formatted(
            jar.substring(jar.lastIndexOf('/') + 1),
            NativeOpsHolder.getInstance().getDeviceNativeOps().ompGetMaxThreads());
  }

  @Override
  Trainee open(PeerRun run) {
    Nd4j.getRandom().setSeed(run.config().seed());
    return new Dl4jTrainee(run);
  }
}
