package convtrain.cli;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A file to write at the end of a command, which is told before its work if it cannot. */
final class OutputFile implements ITypeConverter<Path> {
  @Override
  public Path convert(String text) {
    String obstacle;
    try {
      Path file = Path.of(text);
      obstacle = AtomicFile.obstacle(file);
      if (obstacle == null) {
        return file;
      }
    } catch (InvalidPathException | IOException e) {
      obstacle = "cannot be written: " + e.getMessage();
    }
    throw new TypeConversionException("\"" + text + "\" " + obstacle);
  }
}
