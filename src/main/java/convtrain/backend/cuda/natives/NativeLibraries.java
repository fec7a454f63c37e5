package convtrain.backend.cuda.natives;

import convtrain.backend.Backend.Availability;
import convtrain.backend.BackendException;
import convtrain.backend.cuda.natives.LibrarySearch.Found;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.jcudnn.JCudnn;

/**
 * The native libraries of this process: finds NVIDIA's, and loads them and JCuda's in an order that
 * links. Comes before anything else of JCuda is touched.
 */
public final class NativeLibraries {
  private static final class OfProcess {
    static final NativeLibraries LIBRARIES = new NativeLibraries(CacheFolder.ofUser());
  }

  private final LibrarySearch search;
  private final LibraryLoader loader;
  private final JCudaNatives natives;
  private final Map<String, Optional<Found>> looked = new HashMap<>();
  private final Map<Component, Found> loaded = new EnumMap<>(Component.class);

  private NativeLibraries(CacheFolder cache) {
    search = LibrarySearch.ofSystem(cache);
    loader = new LibraryLoader(search);
    natives = new JCudaNatives(cache);
  }

  /**
   * Loads the driver's library, cuDNN, cuBLAS and NVRTC with JCuda's natives for them. Does nothing
   * where they are loaded.
   *
   * @throws BackendException if one is missing or does not load; says what was looked at, what was
   *     found and what to do
   */
  public static void load() {
    ofProcess().require(Component.values());
  }

  /** Those that need no driver: their functions that need no GPU work on any machine. */
  public static void loadWithoutDriver() {
    ofProcess().require(Component.CUDNN, Component.CUBLAS, Component.NVRTC);
  }

  /**
   * Whether training on a GPU can be expected to work: asks the driver for a GPU and looks for the
   * files of the other libraries, which are large, without loading them.
   */
  public static Availability availability() {
    try {
      List<Gpu> gpus = ofProcess().gpus();
      List<Component> missing = ofProcess().missing();
      if (!missing.isEmpty()) {
        return new Availability(false, Remedies.missingShort(missing));
      }
      return new Availability(true, gpus.get(0).toString());
    } catch (BackendException e) {
      return new Availability(false, e.getMessage().lines().findFirst().orElse(""));
    } catch (LinkageError | RuntimeException e) {
      return new Availability(false, "the GPU driver's library cannot be used: " + e);
    }
  }

  static NativeLibraries ofProcess() {
    return OfProcess.LIBRARIES;
  }

  private List<Gpu> gpus() {
    require(Component.DRIVER);
    Driver.initialise();
    List<Gpu> gpus = Driver.gpus();
    int major = cudaMajor();
    if (missing().isEmpty() && Driver.cudaVersion() / 1000 < major) {
      throw new BackendException(Remedies.driverTooOld(Driver.cudaVersion(), major));
    }
    return gpus;
  }

  /**
   * Loads what is not loaded yet.
   *
   * @throws BackendException as {@link #load} does
   */
  synchronized void require(Component... components) {
    List<Component> missing = new ArrayList<>();
    for (Component component : components) {
      if (locate(component).isEmpty()) {
        missing.add(component);
      }
    }
    if (!missing.isEmpty()) {
      throw new BackendException(Remedies.missing(missing, search));
    }
    for (Component component : components) {
      if (!loaded.containsKey(component)) {
        Found found = locate(component).orElseThrow();
        loader.load(found);
        byte[] library = JCudaNatives.linkedTo(component, found);
        JCudaNatives.initialise(component, natives.place(component, library));
        loaded.put(component, found);
      }
    }
  }

  /** Where a component's library is, loaded or to be loaded. */
  synchronized Optional<Found> locate(Component component) {
    Found known = loaded.get(component);
    if (known != null) {
      return Optional.of(known);
    }
    if (component == Component.DRIVER) {
      return search.findDriver(component.linkedName());
    }
    Optional<Found> inMajor = find(component.name(cudaMajor()));
    if (inMajor.isPresent()) {
      return inMajor;
    }
    // Each of JCuda's natives links to one library, so a set of mixed versions works too.
    return majors().stream()
        .map(major -> find(component.name(major)))
        .flatMap(Optional::stream)
        .findFirst();
  }

  /**
   * The major version of CUDA whose cuBLAS and NVRTC are used: that which cuDNN was built for where
   * cuDNN is loaded, since it opens these two itself; else the one that JCuda is linked to; the
   * other one where that is not all there.
   */
  synchronized int cudaMajor() {
    List<Integer> majors = majors();
    return majors.stream()
        .filter(major -> find(Component.CUBLAS.name(major)).isPresent())
        .filter(major -> find(Component.NVRTC.name(major)).isPresent())
        .findFirst()
        .orElse(majors.get(0));
  }

  private List<Integer> majors() {
    return cudnnMajor() == Component.LAST_MAJOR
        ? List.of(Component.LAST_MAJOR, Component.FIRST_MAJOR)
        : List.of(Component.FIRST_MAJOR, Component.LAST_MAJOR);
  }

  /** The major version of CUDA that cuDNN was built for; 0 while it is not loaded. */
  int cudnnMajor() {
    return loaded.containsKey(Component.CUDNN) ? (int) (JCudnn.cudnnGetCudartVersion() / 1000) : 0;
  }

  private synchronized List<Component> missing() {
    return List.of(Component.values()).stream().filter(c -> locate(c).isEmpty()).toList();
  }

  /** Remembered, since a search that finds nothing asks Python last. */
  private Optional<Found> find(String name) {
    return looked.computeIfAbsent(name, search::find);
  }

  LibrarySearch search() {
    return search;
  }

  LibraryLoader loader() {
    return loader;
  }
}
