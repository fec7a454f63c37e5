package convtrain.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads one JSON text as a tree and notes the line of every value. */
final class JsonSource {
  private static final long MAX_BYTES = 16L << 20;

  private final String source;
  private final Places places;

  private JsonSource(String source, Places places) {
    this.source = source;
    this.places = places;
  }

  /**
   * The object in {@code file}.
   *
   * @param root JSON path that the file's content gets in {@code places}; empty for the run file
   */
  static ObjectNode read(Path file, String root, Places places) {
    return parse(file.toString(), text(file), root, places);
  }

  /**
   * The object in {@code text}.
   *
   * @param source where the text comes from, for messages
   */
  static ObjectNode parse(String source, String text, String root, Places places) {
    if (text.isBlank()) {
      throw new ConfigException(source + ": the file is empty; expected a JSON object { ... }");
    }
    try {
      new JsonSource(source, places).noteLines(text, root);
      var tree = Json.MAPPER.readTree(text);
      if (tree instanceof ObjectNode object) {
        return object;
      }
      throw new ConfigException(
          places.of(root) + ": found " + Words.found(tree) + ", expected an object { ... }");
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      String where = at == null ? "" : ":" + at.getLineNr() + ":" + at.getColumnNr();
      throw new ConfigException(source + where + ": " + SyntaxErrors.inPlainWords(e), e);
    }
  }

  private static String text(Path file) {
    if (Files.isDirectory(file)) {
      throw new ConfigException(file + ": is a folder; expected a JSON file");
    }
    if (!Files.exists(file)) {
      throw new ConfigException(file + ": there is no such file");
    }
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new ConfigException(
            "%s: has %d bytes; expected a JSON file of at most %d"
                .formatted(file, Files.size(file), MAX_BYTES));
      }
      String text =
          StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(Files.readAllBytes(file)))
              .toString();
      return text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw new ConfigException(file + ": is not UTF-8 text; expected a JSON file", e);
    } catch (IOException e) {
      throw new ConfigException(
          file + ": cannot be read (" + e.getClass().getSimpleName() + "); check its permissions",
          e);
    }
  }

  private void noteLines(String text, String root) throws JsonProcessingException {
    try (JsonParser parser = Json.MAPPER.createParser(text)) {
      parser.nextToken();
      note(root, parser);
      noteInside(root, parser);
      if (parser.nextToken() != null) {
        throw new ConfigException(
            "%s:%d: found more after the end of the object; expected one JSON object"
                .formatted(source, parser.currentTokenLocation().getLineNr()));
      }
    } catch (JsonProcessingException e) {
      throw e;
    } catch (IOException e) {
      throw new UncheckedIOException("reading a text in memory", e);
    }
  }

  private void noteInside(String path, JsonParser parser) throws IOException {
    if (parser.currentToken() == JsonToken.START_OBJECT) {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String child = Places.child(path, parser.currentName());
        note(child, parser);
        parser.nextToken();
        noteInside(child, parser);
      }
    } else if (parser.currentToken() == JsonToken.START_ARRAY) {
      for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
        String child = Places.child(path, i);
        note(child, parser);
        noteInside(child, parser);
      }
    }
  }

  private void note(String path, JsonParser parser) {
    places.put(path, source + ":" + parser.currentTokenLocation().getLineNr());
  }
}
