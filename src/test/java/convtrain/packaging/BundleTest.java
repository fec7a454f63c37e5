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
  @TempDir Path temp;

  /** A bundle whose java is the given script. */
  private Path bundle(String script) throws Exception {
    Path bundle = temp.toRealPath().resolve("a bundle");
    Path java = bundle.resolve("runtime/bin/java");
    Path launcher = bundle.resolve("scripts/convtrain");
    for (Path folder : List.of(java.getParent(), launcher.getParent(), bundle.resolve("lib"))) {
      Files.createDirectories(folder);
    }
    Files.copy(Path.of("scripts/convtrain"), launcher);
    Files.createFile(bundle.resolve("lib/convtrain.jar"));
    Files.writeString(java, script);
    assertThat(java.toFile().setExecutable(true)).isTrue();
    return bundle;
  }

  /** What its launcher says when it is asked for the version. */
  private static String version(Path bundle) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(bundle.resolve("scripts/convtrain").toString(), "--version");
    builder.environment().clear();
    builder.environment().put("PATH", "/usr/bin:/bin");
    builder.environment().put("JAVA_HOME", "/none");
    Process process = builder.redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(out).isZero();
    return out;
  }

  @Test
  void theLauncherRunsTheBundlesJavaWhateverElseIsThere() throws Exception {
    Path bundle = bundle("#!/bin/sh\nfor word in \"$@\"; do echo \"<$word>\"; done\n");
    assertThat(version(bundle))
        .contains("<" + bundle + "/lib/convtrain.jar:" + bundle + "/lib/*>")
        .endsWith("<--version>\n");
  }

  @Test
  void theFirstCommandMakesAnArchiveOfClassesThatAllMap() throws Exception {
    Path bundle =
        bundle(
            """
            #!/bin/sh
            for word in "$@"; do
              case $word in
                -XX:ArchiveClassesAtExit=*) echo archive >"${word#*=}" ;;
                -XX:SharedArchiveFile=*) echo "${word#*=}" ;;
              esac
            done
            """);
    String archive = bundle + "/target/convtrain-0-8.jsa\n";
    assertThat(version(bundle)).contains("preparing a faster start").endsWith(archive);
    assertThat(version(bundle)).isEqualTo(archive);
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
