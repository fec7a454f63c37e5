package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * Runs that differ in a few values: one for every combination of the axes' values, in order, the
 * last axis fastest.
 *
 * @param run the complete run file that they share, as JSON
 * @param axes what differs; each path once
 */
public record Grid(String run, List<Axis> axes) {
  private static final int LONGEST_NAME = 100;

  /**
   * One value of the run file that takes several in turn.
   *
   * @param path as {@code --set} takes it
   * @param values likewise
   */
  public record Axis(String path, List<String> values) {
    public Axis {
      if (path == null || values == null) {
        throw new ConfigException("an axis lacks its path or its values");
      }
      values = List.copyOf(values);
      if (values.isEmpty() || new HashSet<>(values).size() != values.size()) {
        throw new ConfigException(path + "=" + String.join(",", values) + ": values occur twice");
      }
    }

    /**
     * {@code path=v1,v2,...}; commas inside brackets, braces and quotes belong to a value.
     *
     * @throws ConfigException if it has no values
     */
    public static Axis parse(String text) {
      int equals = text.indexOf('=');
      if (equals < 1 || equals == text.length() - 1) {
        throw new ConfigException(
            "--set " + text + ": expected path=value,value,... such as train.optimizer.lr=0.1,0.2");
      }
      return new Axis(text.substring(0, equals), split(text.substring(equals + 1)));
    }

    private static List<String> split(String text) {
      List<String> values = new ArrayList<>();
      int depth = 0;
      boolean quoted = false;
      int start = 0;
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        quoted ^= c == '"';
        if (!quoted) {
          depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
          if (c == ',' && depth == 0) {
            values.add(text.substring(start, i));
            start = i + 1;
          }
        }
      }
      values.add(text.substring(start));
      return values;
    }

    /**
     * {@code 1..10} or {@code 1,2,5..7}.
     *
     * @throws ConfigException if it is something else
     */
    public static Axis seeds(String text) {
      List<String> seeds = new ArrayList<>();
      for (String part : text.split(",", -1)) {
        if (!part.matches("\\d{1,18}(\\.\\.\\d{1,18})?")) {
          throw new ConfigException("--seeds " + text + ": expected seeds such as 1..10 or 1,2,5");
        }
        int dots = part.indexOf("..");
        long first = Long.parseLong(dots < 0 ? part : part.substring(0, dots));
        long last = dots < 0 ? first : Long.parseLong(part.substring(dots + 2));
        if (last < first || last - first >= 100_000) {
          throw new ConfigException(
              "--seeds %s%s: expected the smaller seed first and at most 100,000 of them"
                  .formatted(text, part.equals(text) ? "" : ": " + part));
        }
        LongStream.rangeClosed(first, last).mapToObj(Long::toString).forEach(seeds::add);
      }
      return new Axis("seed", seeds);
    }
  }

  /**
   * One of the runs.
   *
   * @param name its values in words that can name a folder, {@code lr=0.1,seed=2}
   * @param config checked like every run file
   */
  public record Member(String name, RunConfig config) {}

  public Grid {
    axes = List.copyOf(axes);
    if (axes.stream().map(Axis::path).distinct().count() != axes.size()) {
      throw new ConfigException(
          "a value of the run file is set twice: "
              + axes.stream().map(Axis::path).collect(Collectors.joining(", ")));
    }
  }

  /** All runs, checked, so that a wrong value is told before the first of them starts. */
  public List<Member> members() {
    List<Member> members = new ArrayList<>();
    addMembers(members, new String[axes.size()], 0);
    boolean clear =
        members.stream().map(Member::name).distinct().count() == members.size()
            && members.stream().allMatch(member -> member.name().length() <= LONGEST_NAME);
    if (!clear) {
      for (int i = 0; i < members.size(); i++) {
        members.set(i, new Member("%04d".formatted(i + 1), members.get(i).config()));
      }
    }
    return members;
  }

  private void addMembers(List<Member> members, String[] values, int axis) {
    if (axis == axes.size()) {
      members.add(member(values));
      return;
    }
    for (String value : axes.get(axis).values()) {
      values[axis] = value;
      addMembers(members, values, axis + 1);
    }
  }

  private Member member(String[] values) {
    List<String> overrides = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < values.length; i++) {
      String path = axes.get(i).path();
      overrides.add(path + "=" + values[i]);
      String key = path.substring(path.lastIndexOf('.') + 1);
      names.add(key + "=" + inName(axes.get(i), values[i]));
    }
    return new Member(
        String.join(",", names), RunConfigLoader.parse("the shared run file", run, overrides));
  }

  /** The value if it can stand in a folder's name, else which of the axis's it is. */
  private static String inName(Axis axis, String value) {
    return value.matches("[\\p{L}\\p{N}_.+-]+") ? value : "v" + (axis.values().indexOf(value) + 1);
  }

  /** The members that part {@code index} (from 1) of {@code parts} does. */
  public static List<Member> shard(List<Member> members, int index, int parts) {
    List<Member> mine = new ArrayList<>();
    for (int i = index - 1; i < members.size(); i += parts) {
      mine.add(members.get(i));
    }
    return mine;
  }

  /** As JSON, to be read back by {@link #parse}. */
  public String toJson() {
    try {
      return Json.prettyWriter().writeValueAsString(new File(Json.MAPPER.readTree(run), axes))
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private record File(JsonNode run, List<Axis> axes) {
    boolean isComplete() {
      return run != null
          && run.isObject()
          && axes != null
          && axes.stream().allMatch(Objects::nonNull);
    }
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @param source where the text comes from, for messages
   * @throws ConfigException if it is something else
   */
  public static Grid parse(String source, String json) {
    try {
      File file = Json.MAPPER.readValue(json, File.class);
      if (file == null || !file.isComplete()) {
        throw new ConfigException(
            source
                + ": expected \"run\", a run file, and \"axes\", a list; bring back the file"
                + " that convtrain made, or train the group anew into another folder");
      }
      return new Grid(file.run().toPrettyString(), file.axes());
    } catch (JsonProcessingException e) {
      throw new ConfigException(source + ": " + e.getOriginalMessage(), e);
    }
  }
}
