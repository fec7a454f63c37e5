package convtrain.worksheet;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** Reads, changes and recalculates the spreadsheets that the worksheet writes. */
final class Xlsx implements Expression.Scope {
  private static final Pattern SHEET = Pattern.compile("<sheet name=\"([^\"]+)\"");
  private static final Pattern CELL =
      Pattern.compile("<c r=\"([A-Z]+\\d+)\"([^>]*)>(?:<f>(.*?)</f>|<v>(.*?)</v>)</c>");

  /** By {@code Network!B4}. */
  private final Map<String, String> formulas = new HashMap<>();

  private final Map<String, Double> values = new HashMap<>();
  private String sheet;

  static Xlsx read(Path file) throws IOException {
    Xlsx book = new Xlsx();
    try (ZipFile zip = new ZipFile(file.toFile())) {
      int number = 0;
      for (String name : sheetNames(zip)) {
        number++;
        Matcher cells = CELL.matcher(text(zip, "xl/worksheets/sheet" + number + ".xml"));
        while (cells.find()) {
          String cell = name + "!" + cells.group(1);
          if (cells.group(3) != null) {
            book.formulas.put(cell, cells.group(3));
          } else if (!cells.group(2).contains("t=\"s\"")) {
            book.values.put(cell, Double.valueOf(cells.group(4)));
          }
        }
      }
    }
    return book;
  }

  /**
   * A copy with numbers of the first sheet changed.
   *
   * @param changes by cell: {@code B4}
   */
  static void change(Path from, Path to, Map<String, Double> changes) throws IOException {
    Map<String, String> files = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(from.toFile())) {
      for (ZipEntry entry : zip.stream().toList()) {
        files.put(entry.getName(), text(zip, entry.getName()));
      }
    }
    String first = "xl/worksheets/sheet1.xml";
    for (Map.Entry<String, Double> change : changes.entrySet()) {
      String before = files.get(first);
      String after =
          before.replaceFirst(
              "(<c r=\"" + change.getKey() + "\"[^>]*><v>)[^<]*", "$1" + change.getValue());
      if (after.equals(before)) {
        throw new IllegalArgumentException("no number at " + change.getKey());
      }
      files.put(first, after);
    }
    try (OutputStream out = Files.newOutputStream(to);
        ZipOutputStream zip = new ZipOutputStream(out)) {
      for (Map.Entry<String, String> file : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(file.getKey()));
        zip.write(file.getValue().getBytes(StandardCharsets.UTF_8));
        zip.closeEntry();
      }
    }
  }

  private static List<String> sheetNames(ZipFile zip) throws IOException {
    return SHEET.matcher(text(zip, "xl/workbook.xml")).results().map(m -> m.group(1)).toList();
  }

  private static String text(ZipFile zip, String name) throws IOException {
    return new String(
        zip.getInputStream(zip.getEntry(name)).readAllBytes(), StandardCharsets.UTF_8);
  }

  /** What a formula or number comes to; both are counted from 0. */
  double value(String inSheet, int row, int column) {
    sheet = inSheet;
    return variable(IterationFormulas.letters(column) + (row + 1));
  }

  String formula(String cell) {
    return formulas.get(cell);
  }

  @Override
  public double variable(String name) {
    String plain = name.replace("$", "").replace("'", "");
    String cell = plain.contains("!") ? plain : sheet + "!" + plain;
    Double known = values.get(cell);
    if (known == null) {
      String caller = sheet;
      sheet = cell.substring(0, cell.indexOf('!'));
      known = Expression.value(formulas.get(cell), this);
      sheet = caller;
      values.put(cell, known);
    }
    return known;
  }

  @Override
  public double[] range(String cells) {
    Matcher matcher =
        Pattern.compile("(.*!)?([A-Z]+)(\\d+):([A-Z]+)(\\d+)").matcher(cells.replace("$", ""));
    if (!matcher.matches() || !matcher.group(3).equals(matcher.group(5))) {
      throw new IllegalArgumentException(cells);
    }
    int first = column(matcher.group(2));
    double[] found = new double[column(matcher.group(4)) - first + 1];
    String prefix = matcher.group(1) == null ? "" : matcher.group(1);
    for (int i = 0; i < found.length; i++) {
      found[i] = variable(prefix + IterationFormulas.letters(first + i) + matcher.group(3));
    }
    return found;
  }

  private static int column(String letters) {
    int column = 0;
    for (char letter : letters.toCharArray()) {
      column = 26 * column + letter - 'A' + 1;
    }
    return column - 1;
  }

  @Override
  public double function(String name, List<double[]> arguments) {
    double[] a = arguments.get(0);
    return switch (name) {
      case "EXP" -> Math.exp(a[0]);
      case "SUM" -> Arrays.stream(a).sum();
      case "SUMPRODUCT" -> {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
          sum += a[i] * arguments.get(1)[i];
        }
        yield sum;
      }
      default -> throw new IllegalArgumentException(name);
    };
  }
}
