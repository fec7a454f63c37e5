package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDeviceTotalMem;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;

/**
 * What a device is.
 *
 * @param capability compute capability, 10 * major + minor
 * @param memoryBytes all of its memory
 * @param driverVersion the newest CUDA that the driver speaks, 1000 * major + 10 * minor
 */
public record DeviceInfo(
    String name, int capability, int multiprocessors, long memoryBytes, int driverVersion) {

  static DeviceInfo of(CUdevice device) {
    byte[] name = new byte[256];
    Status.cuda("cuDeviceGetName", cuDeviceGetName(name, name.length, device));
    long[] memoryBytes = new long[1];
    Status.cuda("cuDeviceTotalMem", cuDeviceTotalMem(memoryBytes, device));
    int[] driver = new int[1];
    Status.cuda("cuDriverGetVersion", cuDriverGetVersion(driver));
    int major = attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    int minor = attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    int multiprocessors =
        attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    return new DeviceInfo(
        text(name), 10 * major + minor, multiprocessors, memoryBytes[0], driver[0]);
  }

  private static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    Status.cuda("cuDeviceGetAttribute", cuDeviceGetAttribute(value, attribute, device));
    return value[0];
  }

  private static String text(byte[] zeroTerminated) {
    int length = 0;
    while (length < zeroTerminated.length && zeroTerminated[length] != 0) {
      length++;
    }
    return new String(zeroTerminated, 0, length, StandardCharsets.UTF_8);
  }

  /** {@code compute capability 9.0}'s last word. */
  public String capabilityText() {
    return capability / 10 + "." + capability % 10;
  }

  /** {@code 12.6}. */
  public String driverText() {
    return driverVersion / 1000 + "." + driverVersion % 1000 / 10;
  }
}
