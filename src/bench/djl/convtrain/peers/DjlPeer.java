package convtrain.peers;

import ai.djl.engine.Engine;
import picocli.CommandLine.Command;

/** DJL with its PyTorch engine on the CPU; NCHW is the one layout that it offers. */
@Command(name = "DjlPeer", mixinStandardHelpOptions = true)
public final class DjlPeer extends PeerCommand {
  public static void main(String[] args) {
    // All that it needs is on the class path; it must not look elsewhere, and counts no users.
    System.setProperty("offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
    System.exit(commandLine(new DjlPeer()).execute(args));
  }

  @Override
  String engine() {
    return "DJL";
  }

  @Override
  String mode() {
    return "contiguous";
  }

  @Override
  String version() {
    return "DJL %s, PyTorch %s, %d threads; momentum without nesterov, it has no other"
        .formatted(
            Engine.getDjlVersion(),
            Engine.getInstance().getVersion(),
            Runtime.getRuntime().availableProcessors());
  }

  @Override
  Trainee open(PeerRun run) {
    Engine.getInstance().setRandomSeed(run.config().seed().intValue());
    return new DjlTrainee(run);
  }
}
