package convtrain.backend.cuda.natives;

import java.util.List;

/** One of NVIDIA's libraries that JCuda has a native library of its own for. */
enum Component {
  DRIVER("GPU driver", List.of("libcuda.so.1"), "JCudaDriver", "jcuda.driver.JCudaDriver"),
  CUDNN("cuDNN 9", List.of("libcudnn.so.9"), "JCudnn", "jcuda.jcudnn.JCudnn"),
  CUBLAS(
      "cuBLAS",
      List.of("libcublas.so.12", "libcublas.so.13"),
      "JCublas2",
      "jcuda.jcublas.JCublas2"),
  NVRTC("NVRTC", List.of("libnvrtc.so.12", "libnvrtc.so.13"), "JNvrtc", "jcuda.nvrtc.JNvrtc");

  /** The major version of CUDA that JCuda is linked to. */
  static final int FIRST_MAJOR = 12;

  /** The last major version that there are names for. */
  static final int LAST_MAJOR = 13;

  private final String title;
  private final List<String> names;
  private final String nativeName;
  private final String javaClass;

  Component(String title, List<String> names, String nativeName, String javaClass) {
    this.title = title;
    this.names = names;
    this.nativeName = nativeName;
    this.javaClass = javaClass;
  }

  /** What people call it. */
  String title() {
    return title;
  }

  /** The name that JCuda's native library needs it by. */
  String linkedName() {
    return names.get(0);
  }

  /** Its name in a major version of CUDA; the driver and cuDNN have one for all. */
  String name(int cudaMajor) {
    return names.size() == 1 ? names.get(0) : names.get(cudaMajor - FIRST_MAJOR);
  }

  /** JCuda's native library, without version and platform. */
  String nativeName() {
    return nativeName;
  }

  /** The Java class whose initialisation loads the native library. */
  String javaClass() {
    return javaClass;
  }
}
