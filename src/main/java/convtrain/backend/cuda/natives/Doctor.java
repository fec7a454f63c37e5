package convtrain.backend.cuda.natives;

import convtrain.backend.BackendException;
import convtrain.backend.cuda.natives.CudaReport.Check;
import convtrain.backend.cuda.natives.CudaReport.Library;
import convtrain.backend.cuda.natives.CudaReport.Outcome;
import convtrain.backend.cuda.natives.LibrarySearch.Found;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.jcudnn.JCudnn;
import jcuda.nvrtc.JNvrtc;

/**
 * Finds out whether training on a GPU would work here, by doing what it begins with. Each step is
 * on its own: what one finds missing or broken does not keep the others from being tried.
 */
public final class Doctor {
  /** Version numbers that a library's file carries: {@code libcublas.so.12.6.4.1}. */
  private static final Pattern FILE_VERSION = Pattern.compile(".*\\.so\\.(\\d+(\\.\\d+)+)");

  private final NativeLibraries libraries = NativeLibraries.ofProcess();
  private final Map<Component, String> versions = new EnumMap<>(Component.class);
  private final Set<Component> working = new LinkedHashSet<>();
  private final List<Check> checks = new ArrayList<>();
  private final Set<String> problems = new LinkedHashSet<>();
  private final List<Library> rows = new ArrayList<>();
  private CudaReport.Versions driver;
  private List<Gpu> gpus = List.of();

  private Doctor() {}

  /** Looks for everything, loads it and tries it on the first GPU. */
  public static CudaReport examine() {
    return new Doctor().report();
  }

  private CudaReport report() {
    findMissing();
    for (Component component : Component.values()) {
      load(component);
    }
    askDriver();
    tryGpu();
    for (Component component : Component.values()) {
      list(component);
    }
    compareVersions();
    libraries.search().rejected().forEach(file -> problems.add("passed over " + file));
    boolean usable =
        working.size() == Component.values().length
            && checks.stream().allMatch(check -> check.outcome() == Outcome.ok);
    return new CudaReport(
        usable,
        driver,
        gpus,
        List.copyOf(rows),
        List.copyOf(checks),
        List.copyOf(problems),
        libraries.search().searched());
  }

  private void findMissing() {
    if (libraries.locate(Component.DRIVER).isEmpty()) {
      problems.add(Remedies.missing(List.of(Component.DRIVER)));
    }
    List<Component> missing =
        List.of(Component.CUDNN, Component.CUBLAS, Component.NVRTC).stream()
            .filter(component -> libraries.locate(component).isEmpty())
            .toList();
    if (!missing.isEmpty()) {
      problems.add(Remedies.missing(missing));
    }
  }

  private void load(Component component) {
    if (libraries.locate(component).isEmpty()) {
      return;
    }
    try {
      libraries.require(component);
      version(component).ifPresent(version -> versions.put(component, version));
      working.add(component);
    } catch (BackendException e) {
      problems.add(e.getMessage());
    } catch (RuntimeException | LinkageError e) {
      problems.add(component.title() + " does not load: " + e);
    }
  }

  private void askDriver() {
    boolean serves =
        check(
            "driver finds a GPU",
            working.contains(Component.DRIVER),
            () -> {
              Driver.initialise();
              gpus = Driver.gpus();
              return gpus.get(0).toString();
            });
    String cuda = null;
    if (serves) {
      int version = Driver.cudaVersion();
      cuda = Remedies.version(version);
      int major = libraries.cudaMajor();
      if (libraries.locate(Component.CUBLAS).isPresent() && version / 1000 < major) {
        note("driver serves CUDA " + major, Outcome.failed, Remedies.driverTooOld(version, major));
      }
    }
    if (serves || Driver.kernelModule().isPresent()) {
      driver = new CudaReport.Versions(Driver.kernelModule().orElse(null), cuda);
    }
  }

  private void tryGpu() {
    byte[][] code = new byte[1][];
    boolean compiles =
        check(
            "NVRTC compiles a kernel",
            working.contains(Component.NVRTC),
            () -> {
              code[0] = GpuTrial.compile(gpus.isEmpty() ? null : gpus.get(0).computeCapability());
              return "%,d bytes".formatted(code[0].length);
            });
    GpuTrial[] trial = new GpuTrial[1];
    boolean context =
        check(
            "context on cuda:0",
            !gpus.isEmpty(),
            () -> {
              trial[0] = new GpuTrial();
              return "";
            });
    check(
        "kernel runs",
        context && compiles,
        () -> {
          trial[0].run(code[0]);
          return "and writes what it should";
        });
    check(
        "cuDNN starts",
        context && working.contains(Component.CUDNN),
        () -> {
          GpuTrial.cudnn();
          return "";
        });
    check(
        "cuBLAS starts",
        context && working.contains(Component.CUBLAS),
        () -> {
          versions.put(Component.CUBLAS, GpuTrial.cublas());
          return "";
        });
    if (context) {
      trial[0].close();
    }
  }

  /** Makes a check if what it takes is there; whatever is thrown is its result. */
  private boolean check(String name, boolean possible, Supplier<String> action) {
    if (!possible) {
      note(name, Outcome.skipped, "");
      return false;
    }
    try {
      note(name, Outcome.ok, action.get());
      return true;
    } catch (BackendException e) {
      note(name, Outcome.failed, e.getMessage());
    } catch (RuntimeException | LinkageError e) {
      note(name, Outcome.failed, e.toString());
    }
    return false;
  }

  private void note(String name, Outcome outcome, String detail) {
    checks.add(new Check(name, outcome, detail));
    if (outcome == Outcome.failed) {
      problems.add(name + ": " + detail);
    }
  }

  /** A row of a component and rows of the libraries it is made of. */
  private void list(Component component) {
    Optional<Found> found = libraries.locate(component);
    if (found.isEmpty()) {
      rows.add(new Library(component.linkedName(), Outcome.missing, null, null, null));
      return;
    }
    Outcome outcome = working.contains(component) ? Outcome.ok : Outcome.failed;
    rows.add(row(found.get(), outcome, versions.get(component)));
    for (LibraryLoader.Part part : libraries.loader().madeOf(found.get())) {
      if (part.found().isPresent()) {
        rows.add(row(part.found().get(), outcome, null));
      } else {
        rows.add(new Library(part.name(), Outcome.missing, null, null, null));
        problems.add(
            "%s, which is part of %s, is not beside %s; install %s anew: %s"
                .formatted(
                    part.name(),
                    component.title(),
                    found.get().file(),
                    component.title(),
                    Remedies.install(List.of(component))));
      }
    }
  }

  private static Library row(Found found, Outcome outcome, String version) {
    return new Library(
        found.name(),
        outcome,
        version != null ? version : fileVersion(found),
        found.file().toString(),
        found.by());
  }

  private Optional<String> version(Component component) {
    return switch (component) {
      case DRIVER, CUBLAS -> Optional.empty();
      case CUDNN -> Optional.of(cudnnVersion(JCudnn.cudnnGetVersion()));
      case NVRTC -> {
        int[] major = new int[1];
        int[] minor = new int[1];
        int status = JNvrtc.nvrtcVersion(major, minor);
        yield status == 0 ? Optional.of(major[0] + "." + minor[0]) : Optional.empty();
      }
    };
  }

  /** 90501 is 9.5.1. */
  static String cudnnVersion(long number) {
    return number / 10000 + "." + number / 100 % 100 + "." + number % 100;
  }

  private static String fileVersion(Found found) {
    try {
      Matcher name = FILE_VERSION.matcher(found.file().toRealPath().getFileName().toString());
      return name.matches() ? name.group(1) : null;
    } catch (IOException e) {
      return null;
    }
  }

  /** cuDNN opens cuBLAS and NVRTC by the names of the CUDA it was built for. */
  private void compareVersions() {
    int built = libraries.cudnnMajor();
    if (built >= Component.FIRST_MAJOR
        && libraries.locate(Component.CUBLAS).isPresent()
        && built != libraries.cudaMajor()) {
      problems.add(
          "cuDNN was built for CUDA %d, but only CUDA %d's cuBLAS and NVRTC were found: algorithms"
                  .formatted(built, libraries.cudaMajor())
              + " of cuDNN that need them are left out; take both of one version");
    }
  }
}
