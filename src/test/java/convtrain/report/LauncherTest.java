package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs scripts/convtrain in a project of its own, with a java and an mvn that only tell. */
class LauncherTest {
  private static final String JAVA =
      """
      #!/bin/sh
      if [ "$1" = -version ]; then echo 'openjdk version "VERSION" 2026-01-01' >&2; exit; fi
      echo "OMP_NUM_THREADS=${OMP_NUM_THREADS-unset}"
      for word in "$@"; do echo "<$word>"; done
      exit 42
      """;
  private static final String MVN =
      """
      #!/bin/sh
      echo "built by mvn $*" >>builds
      echo noise
      mkdir -p target/lib && touch target/convtrain.jar
      """;

  private record Result(int status, String out, String err) {}

  @TempDir Path temp;
  private Path root;
  private Path bin;

  @BeforeEach
  void makeProject() throws Exception {
    root = Files.createDirectories(temp.resolve("the project")).toRealPath();
    bin = Files.createDirectories(temp.resolve("bin"));
    Files.createDirectories(root.resolve("scripts"));
    Files.createDirectories(root.resolve("src/main"));
    Files.copy(Path.of("scripts/convtrain"), root.resolve("scripts/convtrain"));
    assertThat(root.resolve("scripts/convtrain")).isExecutable();
    age(Files.writeString(root.resolve("pom.xml"), "<project/>"));
    age(Files.writeString(root.resolve("src/main/A.java"), "class A {}"));
    age(root.resolve("src/main"));
    executable(bin.resolve("java"), JAVA.replace("VERSION", "17.0.1"));
    executable(bin.resolve("mvn"), MVN);
  }

  @Test
  void argumentsExitCodeAndSettingsPassThrough() throws Exception {
    Result result =
        run(
            Map.of("CONVTRAIN_JAVA_OPTS", "-Xmx1g -Da=*"),
            root.resolve("scripts/convtrain"),
            "train",
            "a b",
            "*",
            "");
    assertThat(result.status).isEqualTo(42);
    assertThat(result.out)
        .isEqualTo(
            """
            OMP_NUM_THREADS=unset
            <--enable-native-access=ALL-UNNAMED>
            <-XX:+UseSerialGC>
            <-Dorg.bytedeco.javacpp.maxBytes=0>
            <-Dorg.bytedeco.javacpp.maxPhysicalBytes=0>
            <-Dconvtrain.home=ROOT>
            <-Dconvtrain.tty=false>
            <-Dconvtrain.columns=0>
            <-Xmx1g>
            <-Da=*>
            <-cp>
            <ROOT/target/convtrain.jar:ROOT/target/lib/*>
            <convtrain.cli.Main>
            <train>
            <a b>
            <*>
            <>
            """
                .replace("ROOT", root.toString()));
  }

  @Test
  void buildsOnceAndAgainOnlyWhenASourceIsNewer() throws Exception {
    assertThat(run().err).isEqualTo("building convtrain (first run)...\n");
    assertThat(builds())
        .containsExactly("built by mvn -q -B -Dstyle.color=never -Dquick -DskipTests package");
    assertThat(run().err).isEmpty();
    assertThat(builds()).hasSize(1);

    Files.setLastModifiedTime(
        root.resolve("src/main/A.java"), FileTime.from(Instant.now().plusSeconds(5)));
    assertThat(run().err).isEqualTo("building convtrain (its sources changed)...\n");
    assertThat(builds()).hasSize(2);
    age(root.resolve("src/main/A.java"));
    Files.delete(root.resolve("target/lib"));
    assertThat(run().status).isEqualTo(42);
    assertThat(builds()).as("the libraries were missing").hasSize(3);
    assertThat(root.resolve("target/.build-lock")).doesNotExist();
  }

  /** A java that leaves an archive of its loaded classes, where it is told to. */
  private static final String ARCHIVING =
      JAVA.replace("VERSION", "17.0.1")
          .replace(
              "exit 42",
              """
              case $1 in
                -XX:ArchiveClassesAtExit=*) echo classes >"${1#*=}"; exit STATUS ;;
                -XX:SharedArchiveFile=*) exit USABLE ;;
              esac
              exit 42""");

  @Test
  void theClassesOfATrainingRunAreArchivedByTheBuildAndMappedByEachRun() throws Exception {
    executable(bin.resolve("java"), ARCHIVING.replace("STATUS", "0").replace("USABLE", "0"));
    Path archive = root.resolve("target/convtrain-17-8.jsa");
    String sharing =
        "<-XX:SharedArchiveFile=%s>\n<-XX:+VerifySharedSpaces>\n<-Xlog:cds*=off>\n<-Xlog:class+path*=off>\n"
            .formatted(archive);
    assertThat(run().out).contains("<-XX:+UseSerialGC>\n" + sharing + "<-Dorg.bytedeco");
    assertThat(archive).content().isEqualTo("classes\n");

    Files.writeString(archive, "class");
    Result cutShort = run();
    assertThat(cutShort.status).isEqualTo(42);
    assertThat(cutShort.out).doesNotContain("SharedArchiveFile");

    Files.writeString(archive, "classes\n");
    executable(bin.resolve("java"), JAVA.replace("VERSION", "25"));
    assertThat(run().out).as("of another Java").doesNotContain("SharedArchiveFile");

    executable(bin.resolve("java"), ARCHIVING.replace("STATUS", "0").replace("USABLE", "0"));
    Path jar = root.resolve("target/convtrain.jar");
    Files.delete(archive);
    assertThat(run().out).as("tried once for each jar").doesNotContain("SharedArchiveFile");
    Files.setLastModifiedTime(jar, FileTime.from(Instant.now().plusSeconds(5)));
    Result byMaven = run();
    assertThat(byMaven.err).contains("preparing a faster start (the jar is new)");
    assertThat(byMaven.out).contains(sharing);
    assertThat(run().err).doesNotContain("preparing");

    for (String usable : List.of("0", "1")) {
      age(root.resolve("target/convtrain.jar"));
      Files.writeString(root.resolve("src/main/A.java"), "class B {}");
      String status = usable.equals("0") ? "1" : "0";
      executable(
          bin.resolve("java"), ARCHIVING.replace("STATUS", status).replace("USABLE", usable));
      assertThat(run().out).as("run %s, use %s", status, usable).doesNotContain("Shared");
      assertThat(archive).doesNotExist();
    }
    assertThat(root.resolve("target/.build-lock")).doesNotExist();
  }

  @Test
  void aSourceEditedDuringTheBuildIsBuiltNextTime() throws Exception {
    executable(
        bin.resolve("mvn"), MVN + "sleep 0.05; touch src/main/A.java target/convtrain.jar\n");
    assertThat(run().status).isEqualTo(42);
    executable(bin.resolve("mvn"), MVN);
    assertThat(run().err).isEqualTo("building convtrain (its sources changed)...\n");
  }

  @Test
  void aFailingBuildShowsMavensOutputAndIsTriedAgain() throws Exception {
    executable(bin.resolve("mvn"), MVN + "echo A.java:3 broken >&2\nexit 7\n");
    for (int attempt = 1; attempt <= 2; attempt++) {
      Result result = run();
      assertThat(result.status).isEqualTo(1);
      assertThat(result.out).isEmpty();
      assertThat(result.err)
          .startsWith("building convtrain (")
          .endsWith("noise\nA.java:3 broken\nconvtrain: the build failed\n");
      assertThat(builds()).hasSize(attempt);
      assertThat(root.resolve("target/.build-lock")).doesNotExist();
    }
  }

  @Test
  void twoAtOnceBuildOnce() throws Exception {
    executable(bin.resolve("mvn"), MVN.replace("mkdir", "sleep 1; mkdir"));
    Process first = start(Map.of(), temp, root.resolve("scripts/convtrain"));
    Process second = start(Map.of(), temp, root.resolve("scripts/convtrain"));
    assertThat(first.waitFor()).isEqualTo(42);
    assertThat(second.waitFor()).isEqualTo(42);
    assertThat(builds()).hasSize(1);
  }

  @Test
  void theLockOfAKilledBuildIsTakenOver() throws Exception {
    Process gone = new ProcessBuilder("true").start();
    gone.waitFor();
    Path lock = Files.createDirectories(root.resolve("target/.build-lock"));
    Files.writeString(lock.resolve("pid"), gone.pid() + "\n");
    assertThat(run().status).isEqualTo(42);
    assertThat(builds()).hasSize(1);
    assertThat(lock).doesNotExist();
  }

  @Test
  void theRootIsFoundThroughLinksAndFromAnyFolder() throws Exception {
    Path links = Files.createDirectories(temp.resolve("links"));
    Path absolute =
        Files.createSymbolicLink(links.resolve("one"), root.resolve("scripts/convtrain"));
    Path relative = Files.createSymbolicLink(links.resolve("two"), Path.of("one"));
    for (Path link : List.of(absolute, relative)) {
      assertThat(run(Map.of(), link).out).contains("<-Dconvtrain.home=" + root + ">");
    }
    Process plain = start(Map.of(), root.resolve("scripts"), Path.of("./convtrain"));
    assertThat(out(plain)).contains("<-Dconvtrain.home=" + root + ">");
  }

  @Test
  void threadsSetOpenMpBeforeJavaStarts() throws Exception {
    Path script = root.resolve("scripts/convtrain");
    assertThat(run(Map.of(), script, "train", "--threads", "3", "x").out)
        .startsWith("OMP_NUM_THREADS=3\n")
        .endsWith("<train>\n<--threads>\n<3>\n<x>\n");
    assertThat(run(Map.of(), script, "--threads=5").out).startsWith("OMP_NUM_THREADS=5\n");
    assertThat(run(Map.of(), script, "--threads", "many").out)
        .startsWith("OMP_NUM_THREADS=unset\n");
    assertThat(run(Map.of(), script, "threads", "3").out).startsWith("OMP_NUM_THREADS=unset\n");
  }

  @Test
  void aRunGoesOnWithTheThreadsItBeganWithIfThereAreSoManyCores() throws Exception {
    Path script = root.resolve("scripts/convtrain");
    Path group = Files.createDirectories(temp.resolve("two runs"));
    Path one = provenance(group.resolve("seed=1"), 1);
    Path many = provenance(temp.resolve("many"), 1_000_000);
    assertThat(run(Map.of(), script, "train", "--resume", one.toString()).out)
        .startsWith("OMP_NUM_THREADS=1\n");
    assertThat(run(Map.of(), script, "train", "--resume=" + group).out)
        .startsWith("OMP_NUM_THREADS=1\n");
    assertThat(run(Map.of(), script, "train", "--resume=" + many).out)
        .startsWith("OMP_NUM_THREADS=unset\n");
    assertThat(run(Map.of(), script, "train", "--threads=7", "--resume=" + one).out)
        .startsWith("OMP_NUM_THREADS=7\n");
    assertThat(run(Map.of("OMP_NUM_THREADS", "3"), script, "train", "--resume=" + one).out)
        .startsWith("OMP_NUM_THREADS=1\n");
  }

  private static Path provenance(Path run, int threads) throws IOException {
    Files.createDirectories(run);
    Files.writeString(
        run.resolve("provenance.json"),
        "{\n  \"seed\" : 5,\n  \"threads\" : " + threads + ",\n  \"machine\" : { }\n}\n");
    return run;
  }

  @Test
  void aNumberOfThreadsThatOpenMpWouldNotTakeIsAClearError() throws Exception {
    Path script = root.resolve("scripts/convtrain");
    for (String wrong : List.of("abc", "0", "2,x", "2,", "-1")) {
      Result result = run(Map.of("OMP_NUM_THREADS", wrong), script, "train", "x.json");
      assertThat(result.status).isEqualTo(2);
      assertThat(result.err)
          .contains(
              "convtrain: OMP_NUM_THREADS=%s; expected the number of threads, at least 1: correct it"
                  .formatted(wrong));
    }
    assertThat(run(Map.of("OMP_NUM_THREADS", "4, 2"), script, "train").status).isEqualTo(42);
    assertThat(run(Map.of("OMP_NUM_THREADS", "abc"), script, "train", "--threads=2").out)
        .startsWith("OMP_NUM_THREADS=2\n");
  }

  @Test
  void javaHomeComesBeforeThePath() throws Exception {
    Path jdk = Files.createDirectories(temp.resolve("jdk/bin"));
    executable(jdk.resolve("java"), "#!/bin/sh\necho from JAVA_HOME\n");
    Files.writeString(temp.resolve("jdk/release"), "JAVA_VERSION=\"25.0.3\"\n");
    Path script = root.resolve("scripts/convtrain");
    assertThat(run(Map.of("JAVA_HOME", temp.resolve("jdk").toString()), script).out)
        .isEqualTo("from JAVA_HOME\n");

    Result wrong = run(Map.of("JAVA_HOME", "/none"), script);
    assertThat(wrong.status).isEqualTo(1);
    assertThat(wrong.err).contains("JAVA_HOME=/none has no bin/java");
  }

  @Test
  void missingOrOldToolsAreNamedWithWhatToInstall() throws Exception {
    executable(bin.resolve("java"), JAVA.replace("VERSION", "1.8.0_402"));
    assertThat(run().err).contains("needs Java 17 or newer, found 8 at ").contains("apt install");
    Files.delete(bin.resolve("java"));
    onlyFakes();
    assertThat(run().err).contains("needs Java 17 or newer and found none");
    executable(bin.resolve("java"), JAVA.replace("VERSION", "21"));
    Files.delete(bin.resolve("mvn"));
    Result result = run();
    assertThat(result.err).contains("found no mvn").contains("apt install maven");
    assertThat(result.status).isEqualTo(1);
  }

  @Test
  void anInstallationWithoutSourcesJustRuns() throws Exception {
    Files.delete(root.resolve("pom.xml"));
    assertThat(run().err).contains("found neither pom.xml nor convtrain.jar");
    Files.createDirectory(root.resolve("lib"));
    Files.writeString(root.resolve("lib/convtrain.jar"), "");
    assertThat(run().out).contains("<" + root + "/lib/convtrain.jar:" + root + "/lib/*>");
    Files.writeString(root.resolve("convtrain.jar"), "");
    assertThat(run().out).contains("<" + root + "/convtrain.jar:" + root + "/lib/*>");
    assertThat(root.resolve("builds")).doesNotExist();
  }

  @Test
  void cudaRedistBringsTheLibrariesOnceAndThenRunsTheRest() throws Exception {
    age(
        Files.writeString(
            root.resolve("pom.xml"), "<cuda-redist.version>12.6</cuda-redist.version>"));
    executable(bin.resolve("mvn"), MVN + "echo /m2/redist.jar >target/cuda-redist.path\n");
    executable(
        bin.resolve("java"),
        JAVA.replace("VERSION", "17.0.1")
            .replace("exit 42", "case $* in *cuda-redist*) exit 0;; esac\nexit 42"));
    Path script = root.resolve("scripts/convtrain");
    Map<String, String> cache = Map.of("CONVTRAIN_CACHE", temp.resolve("a cache").toString());

    Result result = run(cache, script, "--cuda-redist", "train", "x.json");
    assertThat(result.err)
        .contains("2.0 GB to download once, 1.5 GB unpacked in " + temp.resolve("a cache"));
    assertThat(builds()).hasSize(2);
    assertThat(builds().get(1))
        .contains("-Pcuda-redist dependency:build-classpath -DincludeArtifactIds=cuda")
        .endsWith("-Dmdep.outputFile=" + root + "/target/cuda-redist.path");
    assertThat(result.out)
        .contains("<convtrain.cli.Main>\n<cuda-redist>\n</m2/redist.jar>\nOMP_NUM_THREADS=unset")
        .endsWith("<convtrain.cli.Main>\n<train>\n<x.json>\n");
    assertThat(result.status).isEqualTo(42);

    Files.createDirectories(temp.resolve("a cache/cuda-redist/12.6"));
    assertThat(run(cache, script).err).as("this mvn makes a new jar").contains("the jar is new");
    Result again = run(cache, script, "--cuda-redist");
    assertThat(again.status).isZero();
    assertThat(again.out + again.err).isEmpty();
    assertThat(builds()).hasSize(2);
  }

  @Test
  void cudaRedistStopsWhereTheLibrariesCannotBeBrought() throws Exception {
    assertThat(run().status).isEqualTo(42);
    executable(bin.resolve("mvn"), "#!/bin/sh\necho no network >&2\nexit 1\n");
    Path script = root.resolve("scripts/convtrain");
    Map<String, String> cache = Map.of("CONVTRAIN_CACHE", temp.resolve("cache").toString());
    Result result = run(cache, script, "--cuda-redist", "train", "x.json");
    assertThat(result.status).isEqualTo(1);
    assertThat(result.out).isEmpty();
    assertThat(result.err).endsWith("no network\nconvtrain: Maven could not bring the libraries\n");

    Files.delete(root.resolve("pom.xml"));
    Files.createDirectory(root.resolve("lib"));
    Files.writeString(root.resolve("convtrain.jar"), "");
    assertThat(run(cache, script, "--cuda-redist").err).contains("convtrain cuda-redist JAR");
  }

  private boolean onlyFakes;

  /** Leaves on PATH, beside the fakes, only the tools that every system has. */
  private void onlyFakes() throws IOException {
    onlyFakes = true;
    String tools = "cat cut dirname find grep mkdir readlink rm rmdir sed sleep stty touch";
    for (String tool : tools.split(" ")) {
      Path real = Path.of("/usr/bin", tool);
      Path path = Files.exists(real) ? real : Path.of("/bin", tool);
      executable(bin.resolve(tool), "#!/bin/sh\nexec " + path + " \"$@\"\n");
    }
  }

  private Result run() throws Exception {
    return run(Map.of(), root.resolve("scripts/convtrain"));
  }

  private Result run(Map<String, String> environment, Path script, String... words)
      throws Exception {
    Process process = start(environment, temp, script, words);
    String out = out(process);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Result(process.exitValue(), out, err);
  }

  private static String out(Process process) throws Exception {
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  private Process start(Map<String, String> environment, Path folder, Path script, String... words)
      throws IOException {
    List<String> command = new ArrayList<>(List.of(script.toString()));
    command.addAll(List.of(words));
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().clear();
    builder.environment().put("PATH", onlyFakes ? bin.toString() : bin + ":/usr/bin:/bin");
    builder.environment().putAll(environment);
    Process process = builder.start();
    process.getOutputStream().close();
    return process;
  }

  private List<String> builds() throws IOException {
    return Files.readAllLines(root.resolve("builds"));
  }

  private static void executable(Path file, String text) throws IOException {
    Files.writeString(file, text);
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  private static void age(Path file) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(60)));
  }
}
