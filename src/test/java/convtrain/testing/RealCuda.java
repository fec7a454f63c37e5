package convtrain.testing;

import convtrain.backend.cuda.natives.NativeLibraries;
import convtrain.backend.cuda.natives.Redist;
import java.nio.file.Path;

/**
 * NVIDIA's own cuDNN, cuBLAS and NVRTC, as {@code mvn verify -Pcuda-redist} brings them. Tests of
 * them carry the tag {@link #TAG} and the condition that {@link #PROPERTY} is set; they run in a
 * process of their own, since in others the software device's libraries have the same names.
 */
public final class RealCuda {
  public static final String TAG = "real-cuda";

  /** The jar that holds the libraries. */
  public static final String PROPERTY = "convtrain.cuda.redist";

  private RealCuda() {}

  /** Unpacks the libraries once and loads them; the driver's is not needed. */
  public static void load() {
    Redist.unpack(Path.of(System.getProperty(PROPERTY)));
    NativeLibraries.loadWithoutDriver();
  }
}
