package convtrain.packaging;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The instructions of a Dockerfile, stage by stage.
 *
 * @param stages in order; the last one is the image
 */
record Dockerfile(List<Stage> stages) {
  /**
   * @param image what FROM names
   * @param name what AS names, or null
   */
  record Stage(String image, String name, List<Instruction> instructions) {
    List<Instruction> all(String keyword) {
      return instructions.stream().filter(each -> each.keyword.equals(keyword)).toList();
    }

    /** The instruction that counts where one of a kind may be given again. */
    Instruction last(String keyword) {
      List<Instruction> all = all(keyword);
      return all.isEmpty() ? null : all.get(all.size() - 1);
    }

    List<Copy> copies() {
      return all("COPY").stream().map(Copy::of).toList();
    }
  }

  /**
   * @param words what follows the keyword, continued lines joined
   */
  record Instruction(String keyword, String words) {}

  /**
   * @param from name of the stage it copies from, or null: the build context
   */
  record Copy(String from, List<String> sources, String target) {
    static Copy of(Instruction copy) {
      List<String> words = new ArrayList<>(List.of(copy.words.split("\\s+")));
      String from = null;
      while (words.get(0).startsWith("--")) {
        String flag = words.remove(0);
        from = flag.startsWith("--from=") ? flag.substring("--from=".length()) : from;
      }
      String target = words.remove(words.size() - 1);
      return new Copy(from, List.copyOf(words), target);
    }
  }

  static Dockerfile read(Path file) throws IOException {
    List<Stage> stages = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String part : Files.readAllLines(file)) {
      if (part.isBlank() || part.startsWith("#")) {
        continue;
      }
      boolean continued = part.endsWith("\\");
      line.append(continued ? part.substring(0, part.length() - 1) : part);
      if (!continued) {
        add(stages, line.toString());
        line.setLength(0);
      }
    }
    return new Dockerfile(stages);
  }

  private static void add(List<Stage> stages, String line) {
    String[] parts = line.strip().split("\\s+", 2);
    String keyword = parts[0].toUpperCase(Locale.ROOT);
    if (keyword.equals("FROM")) {
      String[] words = parts[1].split("\\s+");
      stages.add(new Stage(words[0], words.length == 3 ? words[2] : null, new ArrayList<>()));
    } else {
      stages.get(stages.size() - 1).instructions.add(new Instruction(keyword, parts[1].strip()));
    }
  }
}
