package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Says what is wrong in a text that is not JSON, without the parser's own vocabulary. */
final class SyntaxErrors {
  private record Rule(Pattern pattern, String words) {
    Rule(String regex, String words) {
      this(Pattern.compile(regex, Pattern.DOTALL), words);
    }
  }

  private static final List<Rule> RULES =
      List.of(
          new Rule("Duplicate field '(.*?)'.*", "the key \"$1\" is given twice in one object"),
          new Rule(
              "Unexpected character \\('(.)'.*double-quote to start.*",
              "found '$1', expected a key in double quotes (a comma too many before it, or quotes"
                  + " missing?)"),
          new Rule(
              "Unexpected character \\('(.)'.*colon to separate.*",
              "found '$1', expected a colon between key and value"),
          new Rule(
              "Unexpected character \\('(.)'.*comma to separate.*",
              "found '$1', expected a comma or the closing bracket"),
          new Rule(
              "Unexpected character \\('[/#]'.*comment.*", "found a comment; JSON has no comments"),
          new Rule(
              "Unexpected character \\('(.)'.*numeric value.*",
              "found '$1' in a number, expected a digit"),
          new Rule(
              "Unexpected character \\('(.)'.*hex-digit.*",
              "found '$1', expected four hexadecimal digits after \\\\u"),
          new Rule(
              "Unexpected character \\('(.)'.*",
              "found '$1', expected a value: a string, number, list, object, true, false or null"),
          new Rule("Unexpected close marker '(.)': expected '(.)'.*", "found '$1', expected '$2'"),
          new Rule("Unexpected close marker '(.)'.*", "found '$1', but no bracket is open"),
          new Rule(
              "Unrecognized token '(.*?)'.*",
              "found $1, expected a value: a string in double quotes, number, list, object, true,"
                  + " false or null"),
          new Rule("Non-standard token '(.*?)'.*", "found $1, expected a finite number"),
          new Rule(
              "Illegal unquoted character.*",
              "found a line break or control character inside a string (closing quote missing?)"),
          new Rule("Unrecognized character escape.*", "found an unknown \\\\ escape in a string"),
          new Rule("Invalid numeric value: Leading zeroes.*", "found a number that begins with 0"),
          new Rule("(Illegal|Unexpected) character.*", "found a control character"),
          new Rule("Number value length.*", "found a number with too many digits"),
          new Rule(".*[Nn]esting depth.*", "brackets are nested too deep"));

  private SyntaxErrors() {}

  static String inPlainWords(JsonProcessingException e) {
    if (e instanceof JsonEOFException) {
      return "the text ends too early: a bracket or quote is still open";
    }
    for (Rule rule : RULES) {
      Matcher matcher = rule.pattern.matcher(e.getOriginalMessage());
      if (matcher.matches()) {
        return matcher.replaceFirst(rule.words);
      }
    }
    return "found a malformed number or string";
  }
}
