package convtrain.backend.cuda.natives;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;

import convtrain.backend.BackendException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** What the driver tells of itself and its GPUs; its library is loaded. */
final class Driver {
  private static final Path KERNEL_MODULE = Path.of("/proc/driver/nvidia/version");
  private static final Pattern VERSION = Pattern.compile("\\d+\\.\\d+(\\.\\d+)?");

  private Driver() {}

  /**
   * Starts the driver; it may be started already.
   *
   * @throws BackendException if it has no GPU or does not work; says what to do
   */
  static void initialise() {
    check(JCudaDriver.cuInit(0), "cuInit");
  }

  /** The newest CUDA that the driver serves: 12060 is 12.6. */
  static int cudaVersion() {
    int[] version = new int[1];
    check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
    return version[0];
  }

  /** At least one. */
  static List<Gpu> gpus() {
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
    if (count[0] == 0) {
      throw new BackendException(Remedies.driverStatus(CUresult.CUDA_ERROR_NO_DEVICE, "cuInit"));
    }
    List<Gpu> gpus = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      gpus.add(gpu(i));
    }
    return gpus;
  }

  static CUdevice device(int index) {
    CUdevice device = new CUdevice();
    check(JCudaDriver.cuDeviceGet(device, index), "cuDeviceGet");
    return device;
  }

  private static Gpu gpu(int index) {
    CUdevice device = device(index);
    byte[] name = new byte[256];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    long[] bytes = new long[1];
    check(JCudaDriver.cuDeviceTotalMem(bytes, device), "cuDeviceTotalMem");
    String capability =
        attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + "."
            + attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    return new Gpu(
        index, new String(name, 0, length, StandardCharsets.UTF_8), capability, bytes[0]);
  }

  private static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
    return value[0];
  }

  /** The version of the kernel's part of the driver, where the kernel tells it: 560.35.03. */
  static Optional<String> kernelModule() {
    try {
      Matcher version = VERSION.matcher(Files.readString(KERNEL_MODULE));
      return version.find() ? Optional.of(version.group()) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Throws what a status that is not success means and what helps. */
  static void check(int status, String call) {
    if (status != CUresult.CUDA_SUCCESS) {
      throw new BackendException(Remedies.driverStatus(status, call));
    }
  }
}
