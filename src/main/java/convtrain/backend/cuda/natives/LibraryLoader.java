package convtrain.backend.cuda.natives;

import convtrain.backend.BackendException;
import convtrain.backend.cuda.natives.LibrarySearch.Found;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Loads NVIDIA's libraries into the process, each after those it needs. A library that is loaded is
 * found by name from then on, wherever it lies: the dynamic loader compares names before it looks
 * at folders. So it does not matter that the folders are on no path of the loader's.
 */
final class LibraryLoader {
  /** Libraries of NVIDIA's; what else a library needs comes with the system. */
  private static final Pattern OURS = Pattern.compile("lib(cu|nv).*\\.so\\..*");

  /** cuDNN's parts, each after those it needs. Opened by name as calls need them. */
  static final List<String> CUDNN_PARTS =
      List.of(
          "libcudnn_graph.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_cnn.so.9",
          "libcudnn_adv.so.9",
          "libcudnn_heuristic.so.9",
          "libcudnn_engines_precompiled.so.9",
          "libcudnn_engines_runtime_compiled.so.9");

  /** And parts that only some releases have. */
  private static final Pattern CUDNN_PART = Pattern.compile("libcudnn_.*\\.so\\.9");

  private static final String NVRTC_BUILTINS = "libnvrtc-builtins.so.";

  private final LibrarySearch search;
  private final Set<String> loaded = new HashSet<>();

  LibraryLoader(LibrarySearch search) {
    this.search = search;
  }

  /**
   * Loads a library, and first what it needs and will open.
   *
   * @throws BackendException if the dynamic loader refuses one; the message has its words
   */
  void load(Found library) {
    try {
      for (Found part : parts(library)) {
        loadOne(part);
      }
    } catch (IOException e) {
      throw new BackendException(library.file() + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** What a library is made of, in the order of loading, itself the last. */
  List<Found> parts(Found library) throws IOException {
    List<Found> parts = new ArrayList<>();
    collect(library, parts);
    parts.addAll(parts.size() - 1, opened(library));
    return parts;
  }

  private void collect(Found library, List<Found> parts) throws IOException {
    for (ElfFile.Text needed : ElfFile.read(library.file()).needed()) {
      String name = needed.value();
      if (OURS.matcher(name).matches() && parts.stream().noneMatch(p -> p.name().equals(name))) {
        Optional<Found> found = neededBy(library, name);
        if (found.isPresent()) {
          collect(found.get(), parts);
        }
      }
    }
    parts.add(library);
  }

  /**
   * Libraries that are opened by name alone and that the opening library's own search path does not
   * lead to: NVRTC's built-in functions, whose name has the minor version in it, and cuDNN's parts
   * where a packager took away the path, or where parts of another cuDNN come before them.
   */
  private List<Found> opened(Found library) throws IOException {
    List<Found> opened = new ArrayList<>();
    if (library.name().startsWith("libnvrtc.so.")) {
      String major = NVRTC_BUILTINS + library.name().substring("libnvrtc.so.".length());
      try (Stream<Path> files = Files.list(realFolder(library))) {
        files
            .filter(file -> file.getFileName().toString().startsWith(major))
            .sorted()
            .map(file -> new Found(file.getFileName().toString(), file, library.by()))
            .forEach(opened::add);
      }
    } else if (library.name().equals(Component.CUDNN.linkedName())) {
      // The others are left to cuDNN: up to 9.25 it does not set libcudnn_engines_tensor_ir up
      // where
      // that was loaded by someone else (google-ml-infra/rules_ml_toolchain, pull request 292).
      boolean leadsToAll = ElfFile.read(library.file()).runpath().contains("$ORIGIN");
      partsOfCudnn(library).stream()
          .filter(part -> !leadsToAll || search.isHidden(part))
          .forEach(opened::add);
    }
    return opened;
  }

  private static List<Found> partsOfCudnn(Found library) throws IOException {
    Set<String> names = new LinkedHashSet<>(CUDNN_PARTS);
    try (Stream<Path> files = Files.list(realFolder(library))) {
      files
          .map(file -> file.getFileName().toString())
          .filter(name -> CUDNN_PART.matcher(name).matches())
          .sorted()
          .forEach(names::add);
    }
    return names.stream().map(name -> beside(library, name)).flatMap(Optional::stream).toList();
  }

  private Optional<Found> neededBy(Found library, String name) {
    return name.equals(Component.DRIVER.linkedName())
        ? search.findDriver(name)
        : beside(library, name).or(() -> search.find(name));
  }

  /** The library of that name in the folder of another, or where that folder's entry links to. */
  static Optional<Found> beside(Found library, String name) {
    Path folder = library.file().toAbsolutePath().getParent();
    return Stream.of(folder, realFolder(library))
        .map(place -> place.resolve(name))
        .filter(Files::isRegularFile)
        .map(file -> new Found(name, file, library.by()))
        .findFirst();
  }

  private static Path realFolder(Found library) {
    try {
      return library.file().toRealPath().getParent();
    } catch (IOException e) {
      return library.file().toAbsolutePath().getParent();
    }
  }

  /**
   * A library that another one needs or opens.
   *
   * @param found empty if it is missing
   */
  record Part(String name, Optional<Found> found) {}

  /** What a library cannot work without as far as its file tells, but for the driver. */
  List<Part> madeOf(Found library) {
    List<Part> made = new ArrayList<>();
    try {
      for (ElfFile.Text needed : ElfFile.read(library.file()).needed()) {
        String name = needed.value();
        if (OURS.matcher(name).matches() && !name.equals(Component.DRIVER.linkedName())) {
          made.add(new Part(name, neededBy(library, name)));
        }
      }
      if (isSplitCudnn(library)) {
        CUDNN_PARTS.forEach(part -> made.add(new Part(part, beside(library, part))));
      } else {
        opened(library).forEach(part -> made.add(new Part(part.name(), Optional.of(part))));
      }
    } catch (IOException e) {
      return List.of();
    }
    return made;
  }

  /** NVIDIA's libcudnn.so.9 is a small file that opens its parts; a stand-in may have none. */
  private static boolean isSplitCudnn(Found library) throws IOException {
    return library.name().equals(Component.CUDNN.linkedName())
        && Files.size(library.file()) < (1 << 20)
        && new String(Files.readAllBytes(library.file()), StandardCharsets.ISO_8859_1)
            .contains("libcudnn_graph.so");
  }

  private void loadOne(Found library) throws IOException {
    if (!loaded.contains(library.name())) {
      try {
        System.load(library.file().toRealPath().toString());
      } catch (UnsatisfiedLinkError e) {
        throw new BackendException(
            "%s does not load: %s".formatted(library.file(), e.getMessage()), e);
      }
      loaded.add(library.name());
    }
  }
}
