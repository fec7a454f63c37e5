package convtrain.backend.cpu.dnnl;

import com.sun.jna.Callback;
import com.sun.jna.CallbackThreadInitializer;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import convtrain.backend.BackendException;

/**
 * GNU's OpenMP library, the one whose threads oneDNN's primitives run on, and the entry points that
 * a C compiler calls for {@code #pragma omp parallel}.
 */
final class OpenMp {
  /** The body of a parallel region: what each of its threads calls. */
  interface Body extends Callback {
    /**
     * @param data what the region was given
     */
    void invoke(long data);
  }

  private static boolean registered;

  private OpenMp() {}

  /**
   * Where native code finds a body. The threads stay known to the JVM, so that no call but a
   * thread's first allocates.
   */
  static long address(Body body) {
    register();
    Native.setCallbackThreadInitializer(
        body, new CallbackThreadInitializer(true, false, "convtrain-openmp"));
    return labs(body);
  }

  private static synchronized void register() {
    if (registered) {
      return;
    }
    Dnnl.version();
    try {
      // oneDNN has loaded the library; under the same name the loader gives the same one again.
      Native.register(OpenMp.class, NativeLibrary.getInstance("libgomp.so.1"));
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      throw new BackendException(
          "OpenMP's threads cannot be reached: %s; JNA unpacks its library into a folder for temporary files, which must allow programs: name another with CONVTRAIN_JAVA_OPTS=-Djna.tmpdir=FOLDER, or use --threads 1"
              .formatted(e.getMessage()),
          e);
    }
    registered = true;
  }

  /**
   * C's own: gives a positive number back as it is, here the address that a callback is passed as.
   */
  private static native long labs(Body body);

  /**
   * Runs a body on each thread of a team, the caller among them, and returns when all are done.
   *
   * @param body its address
   */
  static native void GOMP_parallel(long body, long data, int threads, int flags);

  /** How many threads the caller's next regions have, oneDNN's among them. */
  static native void omp_set_num_threads(int threads);

  /** What {@link #omp_set_num_threads} set, or the environment. */
  static native int omp_get_max_threads();

  /** The caller's place in its team, from 0. */
  static native int omp_get_thread_num();

  /** How many the caller's team has. */
  static native int omp_get_num_threads();
}
