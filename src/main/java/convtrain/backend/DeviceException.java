package convtrain.backend;

/** The device, or a library that drives it, refused or failed; the message names call and error. */
public class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public DeviceException(String message) {
    super(message);
  }
}
