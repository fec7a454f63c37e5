package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.backend.Backend.Availability;
import convtrain.backend.BackendException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/** Finds what can train here. */
final class Backends {
  /** The word for the best backend that can run here. */
  static final String AUTO = "auto";

  private static final String CPU = "cpu";

  /**
   * A started backend.
   *
   * @param why for what reason it was chosen
   */
  record Chosen(Backend backend, String why) {}

  private Backends() {}

  /**
   * Starts a backend.
   *
   * @param word {@code auto} or a backend's name
   * @throws BackendException if it cannot run here
   */
  static Chosen open(String word, Backend.Options options) {
    return word.equals(AUTO) ? best(options) : named(word, options);
  }

  /** Loads the libraries of the backend that {@link #open} starts for a word. */
  static void load(String word) {
    providers().stream()
        .filter(each -> word.equals(AUTO) ? each.probe().usable() : each.name().equals(word))
        .findFirst()
        .ifPresent(Backend.Provider::load);
  }

  /** The CPU's, for figures that need no particular device. */
  static Backend cpu() {
    return named(CPU, Backend.Options.withThreads(0)).backend();
  }

  /** Names of the backends, the preferred first. */
  static List<String> names() {
    return providers().stream().map(Backend.Provider::name).toList();
  }

  private static Chosen named(String word, Backend.Options options) {
    Backend.Provider found =
        providers().stream()
            .filter(provider -> provider.name().equals(word))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no backend is called " + word));
    return new Chosen(found.open(options), "asked for");
  }

  private static Chosen best(Backend.Options options) {
    List<String> missing = new ArrayList<>();
    for (Backend.Provider provider : providers()) {
      Availability availability = provider.probe();
      if (availability.usable()) {
        return new Chosen(
            provider.open(options), missing.isEmpty() ? "found" : String.join("; ", missing));
      }
      missing.add("no " + provider.name() + ": " + availability.why());
    }
    throw new BackendException("nothing here can train: " + String.join("; ", missing));
  }

  private static List<Backend.Provider> providers() {
    return ServiceLoader.load(Backend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparingInt(Backend.Provider::preference).reversed())
        .toList();
  }
}
