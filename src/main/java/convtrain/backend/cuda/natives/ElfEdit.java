package convtrain.backend.cuda.natives;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.TreeSet;

/**
 * Makes a library need another one than it was linked to, by the same number of letters: {@code
 * libcublas.so.13} for {@code libcublas.so.12}. NVIDIA's libraries name their symbol version after
 * themselves, so the version asked for is renamed too, and its hash with it.
 */
final class ElfEdit {
  private ElfEdit() {}

  /**
   * A copy of {@code library} that needs {@code to} where it needed {@code from}.
   *
   * @throws IllegalArgumentException if the library is not as expected: {@code from} needed once,
   *     with no version or one of the same name
   */
  static byte[] needing(byte[] library, String from, String to) throws ElfFile.FormatException {
    if (from.length() != to.length()) {
      throw new IllegalArgumentException(
          "%s cannot take the place of %s: not as long".formatted(to, from));
    }
    ElfFile before = ElfFile.parse(library);
    List<ElfFile.Text> needed =
        before.needed().stream().filter(text -> text.value().equals(from)).toList();
    List<ElfFile.VersionNeed> versions =
        before.versionsNeeded().stream().filter(v -> v.library().value().equals(from)).toList();
    expect(needed.size() == 1, before, "needs %s %d times, expected once", from, needed.size());
    expect(versions.size() <= 1, before, "asks %s for %d versions", from, versions.size());
    TreeSet<Integer> places = new TreeSet<>();
    places.add(needed.get(0).offset());
    byte[] edited = library.clone();
    for (ElfFile.VersionNeed version : versions) {
      String name = version.name().value();
      expect(name.equals(from), before, "asks %s for the version %s", from, name);
      expect(version.hash() == ElfFile.hash(from), before, "has a wrong hash of %s", from);
      places.add(version.library().offset());
      places.add(version.name().offset());
      ByteBuffer.wrap(edited)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putInt(version.hashOffset(), ElfFile.hash(to));
    }
    byte[] name = to.getBytes(StandardCharsets.US_ASCII);
    for (int place : places) {
      // A text that ends another one, as linkers fold them, would change that one as well.
      expect(library[place - 1] == 0, before, "keeps %s inside of another text", from);
      System.arraycopy(name, 0, edited, place, name.length);
    }
    return checked(edited, from, to, versions.size());
  }

  private static byte[] checked(byte[] edited, String from, String to, int versions)
      throws ElfFile.FormatException {
    ElfFile after = ElfFile.parse(edited);
    long needed = after.needed().stream().filter(text -> text.value().equals(to)).count();
    long named =
        after.versionsNeeded().stream()
            .filter(v -> v.library().value().equals(to) && v.name().value().equals(to))
            .filter(v -> v.hash() == ElfFile.hash(to))
            .count();
    boolean left =
        after.needed().stream().anyMatch(text -> text.value().equals(from))
            || after.versionsNeeded().stream().anyMatch(v -> v.library().value().equals(from));
    expect(needed == 1 && named == versions && !left, after, "did not take the name %s", to);
    return edited;
  }

  private static void expect(boolean met, ElfFile library, String found, Object... words) {
    if (!met) {
      throw new IllegalArgumentException(
          "%s %s; it is not a build this edit is made for"
              .formatted(library.soname(), found.formatted(words)));
    }
  }
}
