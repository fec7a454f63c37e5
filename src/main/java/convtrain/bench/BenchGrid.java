package convtrain.bench;

import convtrain.config.ConfigException;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The trainings of a benchmark: one for every combination of the axes' values, the last axis
 * fastest.
 *
 * @param run the complete run file that they share, as JSON
 * @param axes what differs
 */
public record BenchGrid(String run, List<Axis> axes) {
  /** What can differ from one training to the other. */
  public enum Kind {
    BACKEND("backend", false),
    THREADS("threads", true),
    PRECISION("precision", false),
    WIDTH("width", true),
    LIMIT("samples", true),
    BATCH_SIZE("batch size", true),
    SEED("seed", true);

    private final String label;
    private final boolean numeric;

    Kind(String label, boolean numeric) {
      this.label = label;
      this.numeric = numeric;
    }

    /** The word for it in tables and plots. */
    public String label() {
      return label;
    }

    /** The word for it in JSON. */
    String key() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Whether its values are numbers, over which a plot can go. */
    public boolean isNumeric() {
      return numeric;
    }
  }

  /** One of them with the values that it takes in turn. */
  public record Axis(Kind kind, List<String> values) {
    public Axis {
      values = List.copyOf(values);
    }

    /**
     * Of a list on the command line, {@code 128,512}.
     *
     * @param option the option's name, for messages
     * @throws ConfigException if a value is no value, or stands there twice
     */
    public static Axis parse(Kind kind, String option, String list) {
      List<String> values = List.of(list.split(",", -1));
      for (String value : values) {
        boolean right = kind.numeric ? value.matches("[1-9]\\d{0,8}") : value.matches("[a-z0-9_]+");
        if (!right) {
          throw new ConfigException(
              "%s=%s: found \"%s\"; expected %s separated by commas"
                  .formatted(
                      option, list, value, kind.numeric ? "whole numbers from 1 on" : "words"));
        }
      }
      if (new HashSet<>(values).size() != values.size()) {
        throw new ConfigException("%s=%s: a value occurs twice".formatted(option, list));
      }
      return new Axis(kind, values);
    }
  }

  /**
   * One of the trainings.
   *
   * @param values of the axes, in their order
   * @param run checked like every run file
   */
  public record Combination(Map<Kind, String> values, RunConfig run) {
    /** {@code batch size 128, threads 2}; empty of a single training. */
    public String inWords() {
      List<String> words = new ArrayList<>();
      values.forEach((kind, value) -> words.add(kind.label() + " " + value));
      return String.join(", ", words);
    }
  }

  /** The word in tables for what JSON calls so. */
  static String label(String key) {
    return Kind.valueOf(key.toUpperCase(Locale.ROOT)).label();
  }

  public BenchGrid {
    axes = List.copyOf(axes);
  }

  /** All, checked before the first of them starts. */
  public List<Combination> combinations() {
    List<Combination> combinations = new ArrayList<>();
    add(combinations, new LinkedHashMap<>());
    return combinations;
  }

  private void add(List<Combination> combinations, Map<Kind, String> values) {
    if (values.size() == axes.size()) {
      combinations.add(new Combination(new LinkedHashMap<>(values), configOf(values)));
      return;
    }
    Axis axis = axes.get(values.size());
    for (String value : axis.values()) {
      values.put(axis.kind(), value);
      add(combinations, values);
      values.remove(axis.kind());
    }
  }

  private RunConfig configOf(Map<Kind, String> values) {
    List<String> overrides = new ArrayList<>();
    values.forEach((kind, value) -> overrides.addAll(overrides(kind, value)));
    return RunConfigLoader.parse("the run file", run, overrides);
  }

  private List<String> overrides(Kind kind, String value) {
    return switch (kind) {
      case BACKEND, THREADS -> List.of();
      case PRECISION -> List.of("train.precision=" + value);
      case WIDTH ->
          Widening.overrides(
              RunConfigLoader.parse("the run file", run).model(), Integer.parseInt(value));
      case LIMIT -> List.of("data.limit=" + value);
      case BATCH_SIZE -> List.of("train.batch_size=" + value);
      case SEED -> List.of("seed=" + value);
    };
  }
}
