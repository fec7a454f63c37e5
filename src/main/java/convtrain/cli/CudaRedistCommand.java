package convtrain.cli;

import convtrain.backend.cuda.natives.Redist;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Unpacks NVIDIA's libraries from the jar that Maven brings them in. */
@Command(
    name = "cuda-redist",
    description =
        "Unpacks NVIDIA's cuDNN, cuBLAS and NVRTC from org.bytedeco's jar into the cache folder,"
            + " where training finds them. 'scripts/convtrain --cuda-redist' brings the jar too.",
    footer = {
      "",
      "Example:",
      "  convtrain cuda-redist cuda-12.6-9.5-1.5.11-linux-x86_64-redist.jar"
    })
final class CudaRedistCommand implements Callable<Integer> {
  @Parameters(paramLabel = "JAR", description = "The jar: cuda-VERSION-linux-x86_64-redist.jar.")
  private Path jar;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Redist.Unpacked unpacked = Redist.unpack(jar);
    PrintWriter err = spec.commandLine().getErr();
    err.println(
        "%s %d libraries (%s) in %s"
            .formatted(
                unpacked.fresh() ? "unpacked" : "found",
                unpacked.libraries(),
                Redist.gigabytes(unpacked.bytes()),
                unpacked.folder()));
    return ExitCode.OK;
  }
}
