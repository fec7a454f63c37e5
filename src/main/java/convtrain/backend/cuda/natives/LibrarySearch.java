package convtrain.backend.cuda.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds libraries by the names that other libraries need them by. Looks, in this order, at
 *
 * <ol>
 *   <li>the folders of {@code CONVTRAIN_CUDA_PATH}; where it is set, the driver alone is looked for
 *       elsewhere too
 *   <li>what the dynamic loader would find: {@code LD_LIBRARY_PATH}, {@code /etc/ld.so.cache}, the
 *       system's folders
 *   <li>what {@code --cuda-redist} unpacked
 *   <li>the folders where CUDA and drivers are installed
 *   <li>Python environments
 * </ol>
 */
final class LibrarySearch {
  static final String OVERRIDE = "CONVTRAIN_CUDA_PATH";

  /** Subfolder of the cache folder, one folder per version in it. */
  static final String REDIST = "cuda-redist";

  private static final Pattern NUMBER = Pattern.compile("\\d+");

  private static final List<String> SYSTEM =
      List.of(
          "lib/x86_64-linux-gnu",
          "usr/lib/x86_64-linux-gnu",
          "lib64",
          "usr/lib64",
          "lib",
          "usr/lib",
          "usr/local/lib");

  /**
   * Of drivers: in WSL, on Debian with alternatives, on NixOS, in containers of NVIDIA's; and of
   * toolkits: on Arch.
   */
  private static final List<String> OTHERS =
      List.of(
          "usr/lib/wsl/lib",
          "usr/lib/x86_64-linux-gnu/nvidia/current",
          "run/opengl-driver/lib",
          "usr/local/nvidia/lib64",
          "usr/local/nvidia/lib",
          "opt/cuda/lib64");

  /**
   * A library.
   *
   * @param name that others need it by
   * @param file where it is, links not followed
   * @param by what led to it, for people
   */
  record Found(String name, Path file, String by) {}

  /** One kind of place: its folders, and paths that it knows by name. */
  private record Place(
      String description, Supplier<List<Path>> folders, Supplier<Map<String, Path>> named) {
    @Override
    public String toString() {
      List<String> paths = folders.get().stream().map(Path::toString).toList();
      return paths.isEmpty() ? description : description + " (" + String.join(", ", paths) + ")";
    }
  }

  private final List<Path> loaderPath;
  private final List<Place> installed = new ArrayList<>();
  private final Place python;
  private final List<String> rejected = new ArrayList<>();

  /** The place that overrides the others, or null. */
  private final Place override;

  /**
   * @param environment variables of the process
   * @param root of the file system
   * @param python folders of Python environments; asked for once everything else was in vain
   */
  LibrarySearch(
      Map<String, String> environment, Path root, CacheFolder cache, Supplier<List<Path>> python) {
    String own = environment.getOrDefault(OVERRIDE, "");
    override = own.isEmpty() ? null : place(OVERRIDE, () -> split(own));
    loaderPath = split(environment.getOrDefault("LD_LIBRARY_PATH", ""));
    installed.add(place("LD_LIBRARY_PATH", () -> loaderPath));
    installed.add(
        new Place(
            "ldconfig", List::of, once(() -> LoaderCache.read(root.resolve("etc/ld.so.cache")))));
    installed.add(place("system", () -> under(root, SYSTEM)));
    installed.add(place("--cuda-redist", () -> newestFirst(cache.path(REDIST), "")));
    installed.add(place("CUDA toolkit", () -> toolkits(environment, root)));
    installed.add(place("other folders", () -> under(root, OTHERS)));
    this.python = place("Python environment", python);
  }

  /** Of this machine and process. */
  static LibrarySearch ofSystem(CacheFolder cache) {
    Map<String, String> environment = System.getenv();
    Path root = Path.of("/");
    return new LibrarySearch(environment, root, cache, () -> PythonFolders.find(environment, root));
  }

  /** Where a library is. Files that this process cannot load are passed over and remembered. */
  Optional<Found> find(String name) {
    return places().map(place -> in(place, name)).flatMap(Optional::stream).findFirst();
  }

  /**
   * Where the driver's library is. It comes with the system, neither with a toolkit, so no override
   * hides it, nor with a Python environment, so none is asked for.
   */
  Optional<Found> findDriver(String name) {
    return driverPlaces().map(place -> in(place, name)).flatMap(Optional::stream).findFirst();
  }

  /**
   * Whether the dynamic loader would take another file of that name: {@code LD_LIBRARY_PATH} comes
   * before the path that is written in the library that asks.
   */
  boolean isHidden(Found library) {
    Optional<Path> first =
        loaderPath.stream()
            .map(folder -> folder.resolve(library.name()))
            .filter(Files::exists)
            .findFirst();
    try {
      return first.isPresent() && !Files.isSameFile(first.get(), library.file());
    } catch (IOException e) {
      return true;
    }
  }

  /** Places that were looked at for libraries, in order: {@code LD_LIBRARY_PATH (/a, /b)}. */
  List<String> searched() {
    return places().map(Place::toString).toList();
  }

  /** Places that were looked at for the driver. */
  List<String> searchedForDriver() {
    return driverPlaces().map(Place::toString).toList();
  }

  private Stream<Place> places() {
    return override != null
        ? Stream.of(override)
        : Stream.concat(installed.stream(), Stream.of(python));
  }

  private Stream<Place> driverPlaces() {
    return Stream.concat(Stream.ofNullable(override), installed.stream());
  }

  /** Files of the right name that cannot be loaded, and why. */
  List<String> rejected() {
    return List.copyOf(rejected);
  }

  private Optional<Found> in(Place place, String name) {
    Path known = place.named().get().get(name);
    if (known != null && loadable(known)) {
      return Optional.of(new Found(name, known, place.description()));
    }
    return place.folders().get().stream()
        .map(folder -> folder.resolve(name))
        .filter(this::loadable)
        .map(file -> new Found(name, file, place.description()))
        .findFirst();
  }

  private boolean loadable(Path file) {
    if (!Files.exists(file)) {
      return false;
    }
    try {
      ElfFile.read(file);
      return true;
    } catch (ElfFile.FormatException e) {
      reject(file + ": " + e.getMessage());
    } catch (IOException e) {
      reject(file + ": cannot be read (" + e.getMessage() + ")");
    }
    return false;
  }

  private void reject(String file) {
    if (!rejected.contains(file)) {
      rejected.add(file);
    }
  }

  private static Place place(String description, Supplier<List<Path>> folders) {
    return new Place(description, once(() -> existing(folders.get())), Map::of);
  }

  private static List<Path> existing(List<Path> folders) {
    return folders.stream().filter(Files::isDirectory).distinct().toList();
  }

  private static List<Path> split(String folders) {
    return Stream.of(folders.split(":")).filter(f -> !f.isEmpty()).map(Path::of).toList();
  }

  private static List<Path> under(Path root, List<String> folders) {
    return folders.stream().map(root::resolve).toList();
  }

  private static List<Path> toolkits(Map<String, String> environment, Path root) {
    List<Path> homes = new ArrayList<>();
    for (String name : List.of("CUDA_HOME", "CUDA_PATH")) {
      homes.addAll(split(environment.getOrDefault(name, "")));
    }
    homes.add(root.resolve("usr/local/cuda"));
    homes.addAll(newestFirst(root.resolve("usr/local"), "cuda-"));
    return homes.stream()
        .flatMap(home -> Stream.of(home.resolve("lib64"), home.resolve("targets/x86_64-linux/lib")))
        .toList();
  }

  /** Folders whose names begin so, by descending version: {@code cuda-12.10} before 12.9. */
  private static List<Path> newestFirst(Path parent, String prefix) {
    try (Stream<Path> entries = Files.list(parent)) {
      return entries
          .filter(entry -> entry.getFileName().toString().startsWith(prefix))
          .sorted(Comparator.comparing(LibrarySearch::sortable).reversed())
          .toList();
    } catch (IOException e) {
      return List.of();
    }
  }

  /** The name with its numbers filled up with zeros. */
  private static String sortable(Path folder) {
    return NUMBER
        .matcher(folder.getFileName().toString())
        .replaceAll(number -> "%9s".formatted(number.group()).replace(' ', '0'));
  }

  private static <T> Supplier<T> once(Supplier<T> supplier) {
    Map<String, T> kept = new LinkedHashMap<>();
    return () -> kept.computeIfAbsent("", unused -> supplier.get());
  }
}
