package convtrain.cli;

import convtrain.config.Grid;
import java.util.List;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A part of many runs: {@code 2/8} is the second of eight.
 *
 * @param index from 1
 */
record Shard(int index, int parts) {
  /** All of them. */
  static final Shard WHOLE = new Shard(1, 1);

  List<Grid.Member> of(List<Grid.Member> members) {
    return Grid.shard(members, index, parts);
  }

  /** Reads {@code i/n}. */
  static final class Converter implements ITypeConverter<Shard> {
    @Override
    public Shard convert(String text) {
      if (text.matches("[1-9]\\d{0,5}/[1-9]\\d{0,5}")) {
        int slash = text.indexOf('/');
        Shard shard =
            new Shard(
                Integer.parseInt(text.substring(0, slash)),
                Integer.parseInt(text.substring(slash + 1)));
        if (shard.index <= shard.parts) {
          return shard;
        }
      }
      throw new TypeConversionException(
          "found \"" + text + "\", expected I/N with I from 1 to N, such as 1/4");
    }
  }
}
