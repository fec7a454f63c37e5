package convtrain.backend;

import java.util.Locale;

/** The device has too little memory left for an allocation. */
public final class DeviceMemoryException extends DeviceException {
  private static final long serialVersionUID = 1L;
  private static final double MIB = 1 << 20;

  private final long freeBytes;

  /**
   * @param requestedBytes of the allocation that failed
   * @param freeBytes left on the device at that moment
   */
  public DeviceMemoryException(long requestedBytes, long freeBytes) {
    super(
        String.format(
            Locale.ROOT,
            "out of device memory: %,.1f MiB asked for, %,.1f MiB free",
            requestedBytes / MIB,
            freeBytes / MIB));
    this.freeBytes = freeBytes;
  }

  /** Left on the device when the allocation failed. */
  public long freeBytes() {
    return freeBytes;
  }
}
