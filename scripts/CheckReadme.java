import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Does what scripts/check-readme says; takes the project's folder. */
class CheckReadme {
  private static final String NUMBER = "(?<![\\w.])(\\d[\\d,]*(?:\\.\\d+)?)(?![\\w.]*\\d)";
  private static final String UNIT =
      "\\s?(%|ms|us|s|seconds|minutes|times|x|images/s|[KMGT]?FLOP(?:/s)?|[KMGT]i?B(?:/s)?)"
          + "(?![\\w/])";
  private static final Pattern WITH_UNIT = Pattern.compile(NUMBER + UNIT);
  private static final Pattern DECIMAL =
      Pattern.compile("(?<![\\w.])(\\d[\\d,]*\\.\\d+)(?![\\w.]*\\d)");
  private static final Pattern ANY_NUMBER =
      Pattern.compile("(?<![\\w.])\\d[\\d,]*(?:\\.\\d+)?(?:[eE][-+]?\\d+)?");

  /** How a section may say a unit that it gives in words or in a table's header; else as it is. */
  private static final Map<String, String> SAID =
      Map.of(
          "ms", "\\bms\\b|milliseconds|_ms\\b",
          "s", "\\bs\\b|\\bseconds\\b",
          "seconds", "\\bs\\b|\\bseconds\\b",
          "times", "\\btimes\\b|ratio",
          "x", "\\bx\\b|\\btimes\\b|ratio");

  /** A part of a file under benchmarks/: from one heading to the next, or a whole file. */
  private record Section(String text, List<BigDecimal> numbers) {
    static Section of(String text) {
      List<BigDecimal> numbers = new ArrayList<>();
      Matcher number = ANY_NUMBER.matcher(text);
      while (number.find()) {
        numbers.add(value(number.group()));
      }
      return new Section(text, numbers);
    }

    boolean has(BigDecimal wanted, String unit) {
      return (unit.isEmpty() || said(unit).matcher(text).find())
          && numbers.stream()
              .anyMatch(n -> n.setScale(wanted.scale(), RoundingMode.HALF_UP).equals(wanted));
    }

    private static Pattern said(String unit) {
      return Pattern.compile(SAID.getOrDefault(unit, Pattern.quote(unit)));
    }
  }

  private final List<Section> sections = new ArrayList<>();
  private final List<String> recordedLines = new ArrayList<>();
  private final List<String> faults = new ArrayList<>();
  private int checked;

  public static void main(String[] args) throws IOException {
    System.exit(new CheckReadme().run(Path.of(args[0])));
  }

  private int run(Path root) throws IOException {
    readBenchmarks(root.resolve("benchmarks"));
    List<String> lines = new ArrayList<>(Files.readAllLines(root.resolve("README.md")));
    exempt(lines, Files.readAllLines(root.resolve("scripts/check-readme.allow")));
    check(lines);
    faults.forEach(System.err::println);
    if (faults.isEmpty()) {
      System.out.println("README.md: " + checked + " measured numbers, all in benchmarks/");
    }
    return faults.isEmpty() ? 0 : 1;
  }

  private void readBenchmarks(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(folder)) {
      files =
          all.filter(file -> file.toString().matches(".*\\.(md|json|jsonl|txt)"))
              .sorted()
              .toList();
    }
    for (Path file : files) {
      String text = Files.readString(file);
      boolean markdown = file.toString().endsWith(".md");
      Stream.of(markdown ? text.split("(?m)^(?=#+ )") : new String[] {text})
          .map(Section::of)
          .forEach(sections::add);
      text.lines().map(CheckReadme::spaced).forEach(recordedLines::add);
    }
  }

  /** Takes the listed words out of the text; each must be there. */
  private void exempt(List<String> lines, List<String> allowed) {
    for (int i = 0; i < allowed.size(); i++) {
      String entry = allowed.get(i);
      if (entry.isBlank() || entry.startsWith("#")) {
        continue;
      }
      String where = "scripts/check-readme.allow:" + (i + 1) + ": ";
      String[] parts = entry.split(" \\| ", 2);
      if (parts.length < 2 || parts[1].isBlank()) {
        faults.add(where + "found \"" + entry + "\"; expected WORDS | REASON");
      } else if (lines.stream().noneMatch(line -> line.contains(parts[0]))) {
        faults.add(where + "\"" + parts[0] + "\" is not in README.md; delete the entry");
      } else {
        lines.replaceAll(line -> line.replace(parts[0], ""));
      }
    }
  }

  /** Goes through README.md paragraph by paragraph; a table is one, and a fenced block. */
  private void check(List<String> lines) {
    Map<Integer, String> block = new TreeMap<>();
    String fence = null;
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      if (line.startsWith("```")) {
        if (fence == null) {
          checkText(block);
          fence = line.substring(3).strip();
        } else {
          if (fence.isEmpty()) {
            checkOutput(block);
          }
          fence = null;
        }
        block.clear();
      } else if (line.isBlank() && fence == null) {
        checkText(block);
        block.clear();
      } else if (fence != null || !line.startsWith("    ")) {
        block.put(i + 1, line);
      }
    }
    checkText(block);
  }

  private void checkText(Map<Integer, String> block) {
    Map<Integer, String> text = new LinkedHashMap<>();
    block.forEach((at, line) -> text.put(at, line.replaceAll("`[^`]*`|\\]\\([^)]*\\)", " ")));
    if (text.values().stream().noneMatch(line -> WITH_UNIT.matcher(line).find())) {
      return;
    }
    text.forEach(
        (at, line) -> {
          Matcher unit = WITH_UNIT.matcher(line);
          while (unit.find()) {
            checkNumber(at, unit.group(1), unit.group(2));
          }
          Matcher decimal = DECIMAL.matcher(unit.replaceAll(" "));
          while (decimal.find()) {
            checkNumber(at, decimal.group(1), "");
          }
        });
  }

  private void checkNumber(int line, String number, String unit) {
    checked++;
    if (sections.stream().noneMatch(section -> section.has(value(number), unit))) {
      faults.add(
          "README.md:%d: %s: under benchmarks/ no section%s has a number that rounds to it; "
                  .formatted(
                      line,
                      (number + " " + unit).strip(),
                      unit.isEmpty() ? "" : " that speaks of \"" + unit + "\"")
              + "correct it, record the measurement there or, if it is none, list its words in"
              + " scripts/check-readme.allow");
    }
  }

  private void checkOutput(Map<Integer, String> block) {
    block.forEach(
        (at, line) -> {
          if (WITH_UNIT.matcher(line).find()) {
            checked++;
            if (!recordedLines.contains(spaced(line))) {
              faults.add(
                  ("README.md:%d: \"%s\": no file under benchmarks/ has this line of output; show"
                          + " one that is recorded there, or record this one")
                      .formatted(at, line.strip()));
            }
          }
        });
  }

  private static String spaced(String line) {
    return line.strip().replaceAll("\\s+", " ");
  }

  private static BigDecimal value(String number) {
    return new BigDecimal(number.replace(",", ""));
  }
}
