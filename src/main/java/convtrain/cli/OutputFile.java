package convtrain.cli;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/** A file to write at the end of a command, which is told before its work if it cannot. */
class OutputFile implements ITypeConverter<Path> {
  private final List<String> endings;

  OutputFile() {
    this(List.of());
  }

  private OutputFile(List<String> endings) {
    this.endings = endings;
  }

  /** A picture as PNG, whose name may have no ending. */
  static final class Png extends OutputFile {
    Png() {
      super(List.of("png", ""));
    }
  }

  /** A picture as SVG, whose name may have no ending. */
  static final class Svg extends OutputFile {
    Svg() {
      super(List.of("svg", ""));
    }
  }

  /** A picture of the kind that its name tells. */
  static final class Picture extends OutputFile {
    Picture() {
      super(List.of("png", "svg"));
    }
  }

  @Override
  public Path convert(String text) {
    String obstacle;
    try {
      Path file = Path.of(text);
      obstacle = AtomicFile.obstacle(file);
      if (obstacle == null && !endings.isEmpty() && !endings.contains(ending(file))) {
        List<String> shown = endings.stream().filter(e -> !e.isEmpty()).map(e -> "." + e).toList();
        obstacle = "names no picture to draw; end it in " + String.join(" or ", shown);
      }
      if (obstacle == null) {
        return file;
      }
    } catch (InvalidPathException | IOException e) {
      obstacle = "cannot be written: " + e.getMessage();
    }
    throw new TypeConversionException("\"" + text + "\" " + obstacle);
  }

  private static String ending(Path file) {
    String name = file.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT);
  }

  /**
   * Refuses one file for two outputs, of which the second would take the first's place; a device
   * takes both.
   */
  static void checkDistinct(CommandSpec command) {
    Map<Path, String> taken = new HashMap<>();
    for (OptionSpec option : command.options()) {
      if (option.converters().length > 0
          && option.converters()[0] instanceof OutputFile
          && option.getValue() instanceof Path file
          && (!Files.exists(file) || Files.isRegularFile(file))) {
        String other = taken.put(file.toAbsolutePath().normalize(), option.longestName());
        if (other != null) {
          throw new ParameterException(
              command.commandLine(),
              "%s and %s are one file, %s; give each its own"
                  .formatted(other, option.longestName(), file));
        }
      }
    }
  }
}
