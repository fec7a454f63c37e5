package convtrain.backend.cuda.device;

import static jcuda.nvrtc.JNvrtc.nvrtcCompileProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcCreateProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcDestroyProgram;
import static jcuda.nvrtc.JNvrtc.nvrtcGetCUBIN;
import static jcuda.nvrtc.JNvrtc.nvrtcGetCUBINSize;
import static jcuda.nvrtc.JNvrtc.nvrtcGetNumSupportedArchs;
import static jcuda.nvrtc.JNvrtc.nvrtcGetPTX;
import static jcuda.nvrtc.JNvrtc.nvrtcGetProgramLog;
import static jcuda.nvrtc.JNvrtc.nvrtcGetSupportedArchs;
import static jcuda.nvrtc.JNvrtc.nvrtcVersion;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;

/**
 * NVRTC for one device: machine code where it knows the device's architecture, or else PTX of the
 * newest one it knows, which the driver then compiles.
 */
final class KernelCompiler {
  private final String version;
  private final String architecture;
  private final boolean machineCode;

  /**
   * @param capability the device's compute capability, 10 * major + minor
   */
  KernelCompiler(int capability) {
    int[] major = new int[1];
    int[] minor = new int[1];
    Status.nvrtc("nvrtcVersion", nvrtcVersion(major, minor));
    version = major[0] + "." + minor[0];
    int[] known = knownArchitectures();
    machineCode = Arrays.stream(known).anyMatch(a -> a == capability);
    architecture =
        machineCode ? "sm_" + capability : "compute_" + newestUpTo(capability, known, version);
  }

  private static int[] knownArchitectures() {
    int[] count = new int[1];
    Status.nvrtc("nvrtcGetNumSupportedArchs", nvrtcGetNumSupportedArchs(count));
    int[] known = new int[count[0]];
    Status.nvrtc("nvrtcGetSupportedArchs", nvrtcGetSupportedArchs(known));
    return known;
  }

  private static int newestUpTo(int capability, int[] known, String version) {
    return Arrays.stream(known)
        .filter(a -> a < capability)
        .max()
        .orElseThrow(
            () ->
                new CudaException(
                    "NVRTC %s compiles for compute capabilities %s; this device has %d"
                        .formatted(version, Arrays.toString(known), capability),
                    nvrtcResult.NVRTC_ERROR_INVALID_OPTION));
  }

  /** {@code 12.6}. */
  String version() {
    return version;
  }

  /** {@code sm_90}, or {@code compute_90} for a device that NVRTC does not know. */
  String architecture() {
    return architecture;
  }

  /**
   * Compiles.
   *
   * @return a module that the driver loads
   */
  byte[] compile(KernelSource source, List<String> options) {
    String[] names = source.headers().keySet().toArray(String[]::new);
    String[] texts = source.headers().values().toArray(String[]::new);
    nvrtcProgram program = new nvrtcProgram();
    Status.nvrtc(
        "nvrtcCreateProgram",
        nvrtcCreateProgram(program, source.text(), source.name(), names.length, texts, names));
    try {
      String[] all = options.toArray(String[]::new);
      int status = nvrtcCompileProgram(program, all.length, all);
      if (status == nvrtcResult.NVRTC_ERROR_COMPILATION) {
        throw new CudaException(
            "kernels/%s does not compile with %s:%n%s"
                .formatted(source.name(), String.join(" ", options), log(program)),
            status);
      }
      Status.nvrtc("nvrtcCompileProgram", status);
      return machineCode ? cubin(program) : ptx(program);
    } finally {
      nvrtcDestroyProgram(program);
    }
  }

  private static String log(nvrtcProgram program) {
    String[] log = {""};
    Status.nvrtc("nvrtcGetProgramLog", nvrtcGetProgramLog(program, log));
    return log[0].strip();
  }

  private static byte[] cubin(nvrtcProgram program) {
    long[] size = new long[1];
    Status.nvrtc("nvrtcGetCUBINSize", nvrtcGetCUBINSize(program, size));
    byte[] cubin = new byte[Math.toIntExact(size[0])];
    Status.nvrtc("nvrtcGetCUBIN", nvrtcGetCUBIN(program, cubin));
    return cubin;
  }

  /** Text with the zero at its end that the driver looks for. */
  private static byte[] ptx(nvrtcProgram program) {
    String[] ptx = {""};
    Status.nvrtc("nvrtcGetPTX", nvrtcGetPTX(program, ptx));
    byte[] text = ptx[0].getBytes(StandardCharsets.US_ASCII);
    return Arrays.copyOf(text, text.length + 1);
  }
}
