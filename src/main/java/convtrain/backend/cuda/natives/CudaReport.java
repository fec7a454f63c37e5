package convtrain.backend.cuda.natives;

import java.util.List;

/**
 * What there is to train on a GPU with, and what is missing. Values that are not known are null.
 *
 * @param usable whether everything was tried and worked
 * @param gpus as the driver lists them; training uses the first
 * @param checks in the order they were made
 * @param problems what is wrong and what helps; ways to help on lines of their own
 * @param searched where libraries were looked for, in order
 */
public record CudaReport(
    boolean usable,
    Versions driver,
    List<Gpu> gpus,
    List<Library> libraries,
    List<Check> checks,
    List<String> problems,
    List<String> searched) {
  /**
   * Versions of the driver.
   *
   * @param kernelModule such as {@code 560.35.03}
   * @param cuda the newest CUDA it serves, such as {@code 12.6}
   */
  public record Versions(String kernelModule, String cuda) {}

  /** What became of a library or a check. */
  public enum Outcome {
    ok,
    missing,
    failed,
    /** Not tried, since something it takes had failed. */
    skipped
  }

  /**
   * A native library.
   *
   * @param name that other libraries need it by
   * @param foundBy what led to it: {@code ldconfig}, {@code LD_LIBRARY_PATH} ...
   */
  public record Library(
      String name, Outcome outcome, String version, String file, String foundBy) {}

  /**
   * Something that was tried.
   *
   * @param detail what was found, or why it failed
   */
  public record Check(String name, Outcome outcome, String detail) {}
}
