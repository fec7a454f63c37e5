package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BackpropCommandTest {
  @TempDir private Path temp;

  @Test
  void showsDiagramFormulasCheckAndIterations() {
    Cli result = Cli.run("backprop");
    assertThat(result.exitCode()).isZero();
    assertThat(result.err()).isEmpty();
    assertThat(result.out())
        .contains("(i1)--", "(o2)\n", "weights  w1 = 0.15, w2 = 0.2, w3 = 0.25, w4 = 0.3, ")
        .contains("  net_h1 = w1*i1 + w2*i2 = 0.15*0.05 + 0.2*0.1 = 0.0275\n")
        .contains("  E = E_o1 + E_o2 = ", " = 0.0141813779\n")
        .contains("  dE/dw1 = dE/da_h1 * da_h1/dnet_h1 * dnet_h1/dw1")
        .contains("  w1' = w1 - lr * dE/dw1 = 0.15 - 0.5 * 0.000316993396 = 0.149841503\n")
        .contains("dE/dw3    0.000351776321591")
        .contains("Iterations with learning rate 0.5;");
    String last = result.out().stripTrailing();
    assertThat(last.substring(last.lastIndexOf('\n') + 1)).startsWith("100  0.000614261811  ");
    assertThat(StandardCharsets.US_ASCII.newEncoder().canEncode(result.out())).isTrue();
    assertThat(result.out().lines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(121));
  }

  @Test
  void severalRatesAreComparedAt1And10And50And100() {
    Cli result = Cli.run("backprop", "--lr=0.1,0.2,0.5,0.8,1,2");
    assertThat(result.exitCode()).isZero();
    assertThat(result.out())
        .endsWith(
            """
            learning rate        n=1       n=10         n=50        n=100
            -------------------------------------------------------------
                      0.1  0.0141001  0.0133869    0.0105910    0.0078474
                      0.2  0.0140190  0.0126302    0.0078410    0.0042289
                      0.5  0.0137771  0.0105746    0.0030667  6.14262e-04
                      0.8  0.0135370  0.0088146    0.0011593  8.52819e-05
                        1  0.0133779  0.0077891  5.99191e-04  2.25626e-05
                        2  0.0125953  0.0040924  2.02723e-05  2.54680e-08
            """);
  }

  @Test
  void csvKeepsEveryDigit() throws IOException {
    Path file = temp.resolve("one.csv");
    assertThat(Cli.run("backprop", "--steps=3", "--csv=" + file).exitCode()).isZero();
    List<String> lines = Files.readAllLines(file);
    assertThat(lines).hasSize(5);
    assertThat(lines.get(0)).startsWith("n,w1,w2,").endsWith(",dE/dw7,dE/dw8");
    assertThat(lines.get(1))
        .startsWith("0,0.15,0.2,0.25,0.3,0.4,0.45,0.5,0.55,")
        .contains(",0.01418137793789");
    assertThat(Cli.run("backprop", "--lr=0.1,2", "--steps=3", "--csv=" + file).exitCode()).isZero();
    assertThat(Files.readAllLines(file))
        .hasSize(5)
        .startsWith("n,E at lr 0.1,E at lr 2")
        .element(1)
        .asString()
        .startsWith("0,0.01418137793789");
  }

  @Test
  void picturesArePngAndSvg() throws Exception {
    Path png = temp.resolve("rates.png");
    Path svg = temp.resolve("rates.svg");
    Cli result = Cli.run("backprop", "--lr=0.1,2", "--png=" + png, "--svg=" + svg);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(ImageIO.read(png.toFile()).getWidth()).isEqualTo(1600);
    assertThat(Files.readString(svg)).contains("<svg");
  }

  @Test
  void spreadsheetIsWritten() throws IOException {
    Path file = temp.resolve("sheet.xlsx");
    assertThat(Cli.run("backprop", "--steps=3", "--xlsx=" + file).exitCode()).isZero();
    assertThat(Files.readAllBytes(file)).startsWith('P', 'K');
  }

  @Test
  void htmlPageIsWholeInItself() throws Exception {
    Path file = temp.resolve("sheet.html");
    Cli result = Cli.run("backprop", "--lr=0.5,2", "--html=" + file);
    assertThat(result.exitCode()).as(result.err()).isZero();
    String page = Files.readString(file);
    assertThat(page)
        .contains("<td>∂<i>E</i>/∂<i>w</i><sub>3</sub></td>")
        .contains("<h2>Iterations with learning rate 0.5</h2>")
        .contains("<tr><td>2</td><td>0.0125953</td><td>0.0040924</td>")
        .doesNotContain("<script", "<link", "<img", "src=", "href=", "@import", "url(http");
    assertThat(page.split("<svg", -1)).hasSize(3);
    String xml =
        page.replaceFirst("<!DOCTYPE html>", "").replaceAll("<meta ([^>]*)>", "<meta $1/>");
    DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void aWideNetworkPrintsShort() throws IOException {
    String row = "[" + "0.1, ".repeat(29) + "0.1]";
    String text =
        """
        {"inputs": %s, "targets": [0, 1], "weights": [[%s], [[%s], [%s]]]}
        """
            .formatted(row, row + (", " + row).repeat(4), "1, 2, 3, 4, 5", "5, 4, 3, 2, 1");
    Path file = Files.writeString(temp.resolve("wide.json"), text);
    Cli few = Cli.run("backprop", file.toString());
    assertThat(few.exitCode()).as(few.err()).isZero();
    assertThat(few.out())
        .contains("w1*i1 + w2*i2 + w3*i3 + ... + w30*i30", "1 of 5 hidden neurons");
    assertThat(few.out().lines()).hasSizeLessThan(140);
    Cli all = Cli.run("backprop", file.toString(), "--all");
    assertThat(all.out()).contains("w149*i29 + w150*i30").doesNotContain(" of 5 hidden neurons");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          --lr=0 | --lr=0.0; expected numbers above 0
          --lr=0.1,-1 | --lr=-1.0; expected numbers above 0
          --lr=1,1 | --lr=[1.0, 1.0]; expected each rate once
          --lr=fast | Invalid value for option '--lr' (RATE): 'fast' is not a number
          --steps=0 | --steps=0; expected 1 to 1000000
          """)
  void wrongUsageIsExplained(String argument, String message) {
    Cli result = Cli.run("backprop", argument);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo("convtrain: " + message + "\nRun 'convtrain backprop --help' for usage.\n");
  }

  @Test
  void twoOutputsNeedTwoFiles() {
    Path file = temp.resolve("a");
    Cli result = Cli.run("backprop", "--xlsx=" + file, "--html=" + temp + "/./a");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .matches("convtrain: --\\w+ and --\\w+ are one file, .*; give each its own\n(?s).*");
    assertThat(file).doesNotExist();
    assertThat(Cli.run("backprop", "--csv=/dev/null", "--html=/dev/null").exitCode()).isZero();
  }

  @Test
  void numbersBeyondASensibleSizeAreScientific() {
    Cli one = Cli.run("backprop", "--lr=1e300", "--steps=2");
    assertThat(one.out().lines()).allMatch(line -> line.length() <= 160);
    assertThat(one.out()).doesNotContain("-0.000000").contains("e+29");
    Cli several = Cli.run("backprop", "--lr=1,1e300", "--steps=100");
    assertThat(several.out()).doesNotContain("0.0000000");
  }

  @Test
  void wrongInputEndsWithTwoAndAFullDiskWithOne() {
    Cli input = Cli.run("backprop", "none.json");
    assertThat(input.exitCode()).isEqualTo(2);
    assertThat(input.err()).isEqualTo("convtrain: none.json: there is no such file\n");
    Cli output = Cli.run("backprop", "--csv=/dev/full");
    assertThat(output.exitCode()).isEqualTo(1);
    assertThat(output.err())
        .isEqualTo("convtrain: reading or writing failed: /dev/full: No space left on device\n");
  }
}
