package convtrain.backend.cuda.natives;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import jcuda.driver.CUresult;

/** What is wrong and what helps, in words. */
final class Remedies {
  private static final String INSTALL_DRIVER =
      "install NVIDIA's driver (Debian: apt install nvidia-driver; Ubuntu: ubuntu-drivers install);"
          + " in a container, start it with --gpus all";

  private Remedies() {}

  /** On one line, for the reason of another choice. */
  static String missingShort(List<Component> missing) {
    return missing.get(0) == Component.DRIVER
        ? "no GPU driver (libcuda.so.1 not found)"
        : "%s not found; 'convtrain doctor' tells what helps".formatted(names(missing));
  }

  /**
   * What is missing and what helps.
   *
   * @param missing the driver alone, or others than it
   */
  static String missing(List<Component> missing) {
    return missing.contains(Component.DRIVER)
        ? missingShort(missing) + "; " + INSTALL_DRIVER
        : names(missing) + " not found; " + install(missing);
  }

  /** The whole of it: what is missing, what helps, what was passed over, where was looked. */
  static String missing(List<Component> missing, LibrarySearch search) {
    List<String> lines = new ArrayList<>();
    if (missing.contains(Component.DRIVER)) {
      lines.add(missing(List.of(Component.DRIVER)));
    }
    List<Component> libraries = missing.stream().filter(c -> c != Component.DRIVER).toList();
    if (!libraries.isEmpty()) {
      lines.add(missing(libraries));
    }
    search.rejected().forEach(file -> lines.add("passed over: " + file));
    List<String> searched = libraries.isEmpty() ? search.searchedForDriver() : search.searched();
    lines.add("looked in: " + String.join("; ", searched));
    return String.join("\n  ", lines);
  }

  /** Ways to get libraries. */
  static String install(List<Component> libraries) {
    return "any one of these helps:\n"
        + way("scripts/convtrain --cuda-redist", "downloads 2.0 GB once")
        + way("pip install " + all(libraries, Remedies::pip), "in the environment that is active")
        + way("apt install " + all(libraries, Remedies::apt), "from NVIDIA's repository")
        + way("export " + LibrarySearch.OVERRIDE + "=DIR:DIR", "the folders they are in")
            .stripTrailing();
  }

  private static String way(String command, String what) {
    return "    %s  (%s)\n".formatted(command, what);
  }

  private static String all(List<Component> components, Function<Component, String> name) {
    return components.stream().map(name).collect(Collectors.joining(" "));
  }

  /**
   * @param cudaVersion that the driver serves, 12040 for 12.4
   * @param major of the libraries
   */
  static String driverTooOld(int cudaVersion, int major) {
    return "the driver serves CUDA %s at most, the libraries found are CUDA %d's; update the driver, or %s"
        .formatted(
            version(cudaVersion),
            major,
            "'scripts/convtrain --cuda-redist' brings CUDA 12's libraries");
  }

  /** 12060 is 12.6. */
  static String version(int cudaVersion) {
    return cudaVersion / 1000 + "." + cudaVersion % 1000 / 10;
  }

  static String driverStatus(int status, String call) {
    String name = CUresult.stringFor(status);
    return switch (status) {
      case CUresult.CUDA_ERROR_NO_DEVICE ->
          "the driver finds no GPU (%s); see whether nvidia-smi lists one, unset CUDA_VISIBLE_DEVICES,"
                  .formatted(name)
              + " and in a container start it with --gpus all";
      case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
          "the driver's library and its kernel module are of different versions (%s); restart the"
                  .formatted(name)
              + " machine after a driver's update";
      case CUresult.CUDA_ERROR_STUB_LIBRARY ->
          "the libcuda.so.1 found is the CUDA toolkit's stand-in for linking (%s); take its folder"
                  .formatted(name)
              + " off LD_LIBRARY_PATH";
      case CUresult.CUDA_ERROR_UNKNOWN ->
          "the driver does not work (%s from %s); restart the machine, or load its module anew:"
                  .formatted(name, call)
              + " modprobe -r nvidia_uvm && modprobe nvidia_uvm";
      default -> "the driver answers %s to %s; nvidia-smi may tell more".formatted(name, call);
    };
  }

  private static String names(List<Component> components) {
    return components.stream()
        .map(component -> "%s (%s)".formatted(component.title(), component.linkedName()))
        .collect(Collectors.joining(", "));
  }

  private static String pip(Component component) {
    return switch (component) {
      case CUDNN -> "nvidia-cudnn-cu12";
      case CUBLAS -> "nvidia-cublas-cu12";
      case NVRTC -> "nvidia-cuda-nvrtc-cu12";
      case DRIVER -> throw new IllegalArgumentException("pip brings no driver");
    };
  }

  private static String apt(Component component) {
    return switch (component) {
      case CUDNN -> "libcudnn9-cuda-12";
      case CUBLAS -> "libcublas-12-6";
      case NVRTC -> "cuda-nvrtc-12-6";
      case DRIVER -> throw new IllegalArgumentException("the driver is told of apart");
    };
  }
}
