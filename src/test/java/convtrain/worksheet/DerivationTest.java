package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class DerivationTest {
  static Stream<WorksheetSpec> sheets() {
    return Stream.of(Sheets.COURSE, Sheets.random(2, 2, 2, true), Sheets.random(3, 4, 2, true));
  }

  /** Computes each printed step, letters and numbers alike, and compares it with its left side. */
  @ParameterizedTest
  @MethodSource("sheets")
  void everyStepEqualsItsLeftSide(WorksheetSpec spec) {
    Worksheet sheet = new Worksheet(spec);
    Letters letters = new Letters(sheet);
    Set<String> explained = new LinkedHashSet<>();
    for (Derivation.Equation equation : equations(sheet, true)) {
      explained.add(equation.left());
      double left = Expression.value(equation.left(), letters);
      for (String step : equation.steps()) {
        assertThat(Expression.value(step, letters))
            .as(equation.left() + " = " + step)
            .isCloseTo(left, within(1e-8));
      }
    }
    assertThat(explained).containsAll(letters.needed());
  }

  @Test
  void aWideNetworkIsExplainedByTheFirstOfEachKind() {
    Worksheet wide = new Worksheet(Sheets.random(30, 20, 10, false));
    List<Derivation.Equation> equations = equations(wide, false);
    assertThat(equations).hasSizeLessThan(30);
    Derivation.Equation net =
        equations.stream().filter(e -> e.left().equals("net_h1")).findFirst().orElseThrow();
    assertThat(net.steps().get(0)).isEqualTo("w1*i1 + w2*i2 + w3*i3 + ... + w30*i30");
    assertThat(equations(wide, true)).hasSizeGreaterThan(1600);
  }

  @Test
  void aNegativeNumberStandsInBrackets() {
    assertThat(Numbers.factor(-0.25)).isEqualTo("(-0.25)");
  }

  private static List<Derivation.Equation> equations(Worksheet sheet, boolean all) {
    return new Derivation(sheet, new Shown(sheet.sizes(), all))
        .sections().stream().flatMap(section -> section.equations().stream()).toList();
  }

  /** What the derivation's letters stand for. */
  private static final class Letters implements Expression.Scope {
    private final Worksheet sheet;
    private final Map<String, Double> values = new HashMap<>();

    Letters(Worksheet sheet) {
      this.sheet = sheet;
      Worksheet.Iteration first = sheet.first();
      List<String> names = new Columns(sheet.sizes()).names();
      double[] row = new Columns(sheet.sizes()).values(first);
      for (int column = 0; column < row.length; column++) {
        values.put(names.get(column), row[column]);
      }
      numbered("i", sheet.inputs());
      numbered("t", sheet.targets());
      values.put("lr", sheet.lr());
      values.put("x", 0.3);
      Parameters moved = first.parameters().updated(sheet.lr(), first.backward().gradients());
      for (int p = 0; p < sheet.sizes().count(); p++) {
        values.put(sheet.sizes().name(p) + "'", moved.values()[p]);
      }
      slopes(first);
    }

    private void numbered(String letter, double[] numbers) {
      for (int i = 0; i < numbers.length; i++) {
        values.put(letter + (i + 1), numbers[i]);
      }
    }

    /** Derivatives of one quantity by the next, each from its definition. */
    private void slopes(Worksheet.Iteration first) {
      Parameters.Sizes sizes = sheet.sizes();
      for (int k = 0; k < sizes.outputs(); k++) {
        String o = "o" + (k + 1);
        double a = first.forward().output()[k];
        values.put("dE/da_" + o, a - sheet.targets()[k]);
        values.put("da_" + o + "/dnet_" + o, a * (1 - a));
        values.put("dE/dnet_" + o, first.backward().deltaOutput()[k]);
        for (int j = 0; j < sizes.hidden(); j++) {
          String h = "h" + (j + 1);
          values.put(
              "dnet_%s/d%s".formatted(o, sizes.name(sizes.outputWeight(k, j))),
              first.forward().hidden()[j]);
          values.put("dnet_%s/da_%s".formatted(o, h), first.parameters().outputWeight(k, j));
        }
        values.put("dnet_%s/d%s".formatted(o, sizes.name(sizes.outputBias(k))), 1.0);
      }
      for (int j = 0; j < sizes.hidden(); j++) {
        String h = "h" + (j + 1);
        double a = first.forward().hidden()[j];
        values.put("da_" + h + "/dnet_" + h, a * (1 - a));
        values.put("dE/dnet_" + h, first.backward().deltaHidden()[j]);
        values.put("dE/da_" + h, first.backward().deltaHidden()[j] / (a * (1 - a)));
        for (int i = 0; i < sizes.inputs(); i++) {
          values.put(
              "dnet_%s/d%s".formatted(h, sizes.name(sizes.hiddenWeight(j, i))), sheet.inputs()[i]);
        }
        values.put("dnet_%s/d%s".formatted(h, sizes.name(sizes.hiddenBias(j))), 1.0);
      }
    }

    /** What a complete derivation has an equation for. */
    Set<String> needed() {
      Set<String> needed = new LinkedHashSet<>();
      for (String name : new Columns(sheet.sizes()).names()) {
        if (name.startsWith("w") || name.startsWith("b")) {
          needed.add(name + "'");
        } else if (!name.equals("n")) {
          needed.add(name);
        }
      }
      return needed;
    }

    @Override
    public double variable(String name) {
      assertThat(values).containsKey(name);
      return values.get(name);
    }

    @Override
    public double function(String name, List<double[]> arguments) {
      double x = arguments.get(0)[0];
      double s = 1 / (1 + Math.exp(-x));
      return switch (name) {
        case "exp" -> Math.exp(x);
        case "sigmoid" -> s;
        case "sigmoid'" -> s * (1 - s);
        default -> throw new IllegalArgumentException(name);
      };
    }
  }
}
