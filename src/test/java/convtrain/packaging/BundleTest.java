package convtrain.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a bundle needs of the tree, and that its launcher runs its own Java. */
class BundleTest {
  @Test
  void theLauncherRunsTheBundlesJavaWhateverElseIsThere(@TempDir Path temp) throws Exception {
    Path bundle = temp.toRealPath().resolve("a bundle");
    Path java = bundle.resolve("runtime/bin/java");
    Path script = bundle.resolve("scripts/convtrain");
    for (Path folder : List.of(java.getParent(), script.getParent(), bundle.resolve("lib"))) {
      Files.createDirectories(folder);
    }
    Files.copy(Path.of("scripts/convtrain"), script);
    Files.createFile(bundle.resolve("lib/convtrain.jar"));
    Files.writeString(java, "#!/bin/sh\nfor word in \"$@\"; do echo \"<$word>\"; done\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();

    ProcessBuilder builder = new ProcessBuilder(script.toString(), "--version");
    builder.environment().clear();
    builder.environment().put("PATH", "/usr/bin:/bin");
    builder.environment().put("JAVA_HOME", "/none");
    Process process = builder.redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(out)
        .contains("<" + bundle + "/lib/convtrain.jar:" + bundle + "/lib/*>")
        .endsWith("<--version>\n");
    assertThat(process.exitValue()).isZero();
  }

  @Test
  void everyFileThatGoesIntoTheBundleIsThere() throws Exception {
    String bundle = Files.readString(Path.of("scripts/bundle"));
    Matcher scripts = Pattern.compile("for script in (.*); do").matcher(bundle);
    assertThat(scripts.find()).isTrue();
    assertThat(Stream.of(scripts.group(1).split(" ")))
        .contains("convtrain", "gpu-check", "bench_pytorch.py", "bench_jax.py")
        .allSatisfy(name -> assertThat(Path.of("scripts", name)).isExecutable());
    Matcher copied =
        Pattern.compile("\"\\$root/((?:src|configs|kernels|LICENSE|README|scripts/\\w)[^\" ]*)\"")
            .matcher(bundle);
    assertThat(copied.results().map(match -> match.group(1)).distinct())
        .contains("configs", "src/test/resources/golden", "scripts/bench_engine.py")
        .allSatisfy(path -> assertThat(Path.of(path)).exists());
  }
}
