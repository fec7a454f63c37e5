package convtrain;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Which package may know which: reading them in this order is reading the data flow. */
class ArchitectureTest {
  private static final JavaClasses ENGINE =
      new ClassFileImporter()
          .withImportOption(place -> !place.contains("test-classes"))
          .importPackages("convtrain");

  /** Commands about the libraries of the CUDA backend, which need no backend that works. */
  private static final Class<?>[] DOCTORS = {inCli("DoctorCommand"), inCli("CudaRedistCommand")};

  /** Of each package, the others of ours it may use. */
  private static final Map<String, List<String>> MAY_USE =
      Map.of(
          "files", List.of(),
          "graph", List.of(),
          "config", List.of("graph"),
          "data", List.of("graph"),
          "backend", List.of("graph"),
          "plan", List.of("graph", "backend"),
          "train", List.of("config", "plan", "data", "backend", "graph", "files"),
          "report", List.of("train", "config", "data", "graph", "files"),
          "worksheet", List.of("report", "config", "graph", "files"),
          "bench", List.of("train", "report", "config", "plan", "data", "backend", "graph"));

  static Stream<String> packages() {
    return MAY_USE.keySet().stream().sorted();
  }

  @ParameterizedTest
  @MethodSource("packages")
  void packagesUseOnlyThoseBeforeThem(String name) {
    String[] others =
        MAY_USE.keySet().stream()
            .filter(other -> !other.equals(name) && !MAY_USE.get(name).contains(other))
            .map(other -> "convtrain." + other + "..")
            .toArray(String[]::new);
    check(
        noClasses()
            .that()
            .resideInAPackage("convtrain." + name + "..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(others)
            .orShould()
            .dependOnClassesThat()
            .resideInAPackage("convtrain.cli.."));
  }

  @Test
  void everyPackageHasItsRule() {
    String[] known =
        Stream.concat(MAY_USE.keySet().stream(), Stream.of("cli"))
            .map(name -> "convtrain." + name + "..")
            .toArray(String[]::new);
    check(classes().should().resideInAnyPackage(known));
  }

  @Test
  void noPackagesUseEachOther() {
    SlicesRuleDefinition.slices()
        .matching("convtrain.(**)")
        .should()
        .beFreeOfCycles()
        .check(ENGINE);
  }

  /** But for the commands that look after one backend's libraries. */
  @Test
  void backendsAreReachedByTheirInterfacesAlone() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("convtrain.backend..")
            .and()
            .doNotBelongToAnyOf(DOCTORS)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("convtrain.backend.*.."));
  }

  static List<List<String>> libraries() {
    return List.of(
        List.of("org.bytedeco..", "convtrain.backend.cpu.."),
        List.of("jcuda..", "convtrain.backend.cuda.."),
        List.of(
            "com.fasterxml.jackson.annotation..",
            "convtrain.graph..",
            "convtrain.config..",
            "convtrain.train..",
            "convtrain.report..",
            "convtrain.worksheet.."),
        List.of(
            "com.fasterxml.jackson.core..",
            "convtrain.config..",
            "convtrain.train..",
            "convtrain.report.."),
        List.of(
            "com.fasterxml.jackson.databind..",
            "convtrain.config..",
            "convtrain.train..",
            "convtrain.report.."),
        List.of("picocli..", "convtrain.cli.."),
        List.of("me.tongfei..", "convtrain.report.."),
        List.of("org.knowm..", "convtrain.report.plot.."),
        List.of("java.awt..", "convtrain.report.plot..", "convtrain.data.."),
        List.of("org.dhatim..", "convtrain.worksheet.."));
  }

  /**
   * First the library, then who may use it; graph's and worksheet's records carry Jackson's
   * annotations.
   */
  @ParameterizedTest
  @MethodSource("libraries")
  void librariesAreUsedInTheirPlaceAlone(List<String> libraryAndUsers) {
    List<String> users = libraryAndUsers.subList(1, libraryAndUsers.size());
    check(
        noClasses()
            .that()
            .resideOutsideOfPackages(users.toArray(String[]::new))
            .should()
            .dependOnClassesThat()
            .resideInAPackage(libraryAndUsers.get(0)));
  }

  private static Class<?> inCli(String name) {
    try {
      return Class.forName("convtrain.cli." + name);
    } catch (ClassNotFoundException e) {
      throw new LinkageError(name, e);
    }
  }

  private static void check(ArchRule rule) {
    rule.allowEmptyShould(true).check(ENGINE);
  }
}
