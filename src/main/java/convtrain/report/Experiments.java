package convtrain.report;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Many runs, put together: those whose run files differ in nothing but seed and name are one
 * experiment.
 *
 * @param differing paths of the run file at which the experiments differ
 * @param all the best first: by validation accuracy where there is one, so that nobody chooses by
 *     the test set unawares, else by test accuracy
 */
record Experiments(List<String> differing, List<Experiment> all) {
  /** Folders of a group of runs below the one that is named. */
  private static final int DEPTH = 3;

  /** The value of a setting that has no such key. */
  private static final String ABSENT = "absent";

  /**
   * What came out of the runs of one setting; spreads are null where no run has the number.
   *
   * @param setting its values of {@link #differing}, as JSON
   * @param runs how many there are
   * @param unfinished of them
   * @param diverged of them
   * @param chosenOnTest whether the test set had a say in any
   * @param members the runs by their seed
   */
  record Experiment(
      Map<String, String> setting,
      int runs,
      int unfinished,
      int diverged,
      boolean chosenOnTest,
      Spread testAccuracy,
      Spread testLoss,
      Spread validationAccuracy,
      Spread validationLoss,
      Spread trainSeconds,
      List<Member> members) {
    boolean validated() {
      return validationAccuracy != null;
    }

    /** The folders of each seed that several runs have. */
    SortedMap<Long, List<String>> repeatedSeeds() {
      SortedMap<Long, List<String>> folders =
          members.stream()
              .collect(
                  Collectors.groupingBy(
                      Member::seed,
                      TreeMap::new,
                      Collectors.mapping(Member::folder, Collectors.toList())));
      folders.values().removeIf(of -> of.size() == 1);
      return folders;
    }

    private double merit() {
      Spread accuracy = validated() ? validationAccuracy : testAccuracy;
      return accuracy == null ? -1 : accuracy.mean();
    }
  }

  /**
   * A run.
   *
   * @param result null while it is not over
   */
  record Member(String folder, long seed, RunResult result) {}

  /** A run's folder as it stands; {@code values} of its complete run file by path. */
  private record Entry(Path folder, long seed, SortedMap<String, String> values, RunResult result) {
    static Entry read(RunFolder folder) throws IOException {
      RunConfig run =
          RunConfigLoader.parse(folder.runJson().toString(), Files.readString(folder.runJson()));
      return new Entry(folder.dir(), run.seed(), RunConfigLoader.values(run), folder.result());
    }

    Map<String, String> setting() {
      Map<String, String> setting = new TreeMap<>(values);
      setting.keySet().removeAll(List.of("seed", "name"));
      return setting;
    }
  }

  /**
   * Of run folders, and of folders that hold run folders; each run once, however often and under
   * whatever paths it is named.
   *
   * @throws RunFolderException if one holds none
   */
  static Experiments of(List<Path> folders) throws IOException {
    Map<Path, Entry> entries = new LinkedHashMap<>();
    for (Path folder : folders) {
      List<Path> runs = runFolders(folder);
      if (runs.isEmpty()) {
        throw new RunFolderException(
            folder
                + ": found no run (run.json) in it or below; expected folders that convtrain made");
      }
      for (Path run : runs) {
        entries.putIfAbsent(run.toRealPath(), Entry.read(new RunFolder(run)));
      }
    }
    return of(entries.values());
  }

  private static List<Path> runFolders(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(folder, DEPTH)) {
      return files.filter(file -> file.endsWith("run.json")).map(Path::getParent).sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static List<String> differing(Collection<Entry> entries) {
    TreeSet<String> paths = new TreeSet<>();
    entries.forEach(entry -> paths.addAll(entry.setting().keySet()));
    return paths.stream()
        .filter(
            path -> entries.stream().map(entry -> entry.values.get(path)).distinct().count() > 1)
        .toList();
  }

  /**
   * At most so many of {@link #differing}, in its order: those that tell the experiments apart
   * best. What all have goes before what only some optimizer or layer has; then what has most
   * values.
   */
  List<String> foremost(int count) {
    return differing.stream()
        .sorted(
            Comparator.comparingLong(this::absences)
                .thenComparing(Comparator.comparingLong(this::values).reversed())
                .thenComparing(path -> !path.endsWith(".type")))
        .limit(count)
        .sorted()
        .toList();
  }

  private long absences(String path) {
    return all.stream().filter(one -> one.setting.get(path).equals(ABSENT)).count();
  }

  private long values(String path) {
    return all.stream().map(one -> one.setting.get(path)).distinct().count();
  }

  private static Experiments of(Collection<Entry> entries) {
    List<String> differing = differing(entries);
    Map<Map<String, String>, List<Entry>> groups = new LinkedHashMap<>();
    entries.forEach(
        entry -> groups.computeIfAbsent(entry.setting(), key -> new ArrayList<>()).add(entry));
    return new Experiments(
        differing,
        groups.values().stream()
            .map(group -> experiment(group, differing))
            .sorted(Comparator.comparing(Experiment::merit, Comparator.reverseOrder()))
            .toList());
  }

  private static Experiment experiment(List<Entry> group, List<String> differing) {
    Map<String, String> setting = new LinkedHashMap<>();
    differing.forEach(path -> setting.put(path, group.get(0).values.getOrDefault(path, ABSENT)));
    List<RunResult> results = group.stream().map(Entry::result).filter(Objects::nonNull).toList();
    List<RunResult> trained = results.stream().filter(RunResult::trained).toList();
    return new Experiment(
        setting,
        group.size(),
        group.size() - results.size(),
        results.size() - trained.size(),
        results.stream().anyMatch(RunResult::chosenOnTest),
        spread(trained, RunResult::testAccuracy),
        spread(trained, RunResult::testLoss),
        spread(trained, RunResult::validationAccuracy),
        spread(trained, RunResult::validationLoss),
        spread(trained, RunResult::trainSeconds),
        group.stream()
            .sorted(Comparator.comparingLong(Entry::seed))
            .map(entry -> new Member(entry.folder.toString(), entry.seed, entry.result))
            .toList());
  }

  private static Spread spread(List<RunResult> results, Function<RunResult, Double> value) {
    return Spread.of(results.stream().map(value).filter(Objects::nonNull).toList());
  }
}
