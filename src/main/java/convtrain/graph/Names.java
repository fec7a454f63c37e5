package convtrain.graph;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Suggests names for a mistyped one. */
public final class Names {
  private Names() {}

  /** The known names, those with the fewest edits from {@code found} first. */
  public static List<String> nearestFirst(String found, Collection<String> known) {
    return known.stream()
        .sorted(
            Comparator.comparingInt((String name) -> edits(found, name))
                .thenComparing(Comparator.naturalOrder()))
        .toList();
  }

  /** Levenshtein distance. */
  static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substitute = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substitute, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
