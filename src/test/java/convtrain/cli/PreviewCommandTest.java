package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The picture of what the network will see. */
class PreviewCommandTest {
  private static final int SIDE = 28;
  private static final String VARIED = "--set=data.augment.random_affine.degrees=90";

  @TempDir private Path temp;
  private Path run;

  @BeforeEach
  void write() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), 40, 8);
    run = TinyRun.write(temp.resolve("tiny.json"), data);
  }

  private BufferedImage preview(String name, String... options) throws IOException {
    Path file = temp.resolve(name);
    String[] args = new String[options.length + 3];
    args[0] = "preview";
    args[1] = run.toString();
    args[2] = "--out=" + file;
    System.arraycopy(options, 0, args, 3, options.length);
    Cli result = Cli.run(args);
    assertThat(result.exitCode()).as(result.err()).isZero();
    return ImageIO.read(file.toFile());
  }

  /** The grey values of one image of the grid, zoomed back. */
  private static int[] image(BufferedImage picture, int zoom, int row, int column) {
    int left = 2 + column * (SIDE * zoom + 2) + (column > 0 ? 14 : 0);
    int top = 2 + row * (SIDE * zoom + 2);
    int[] grey = new int[SIDE * SIDE];
    for (int i = 0; i < grey.length; i++) {
      grey[i] = picture.getRGB(left + i % SIDE * zoom, top + i / SIDE * zoom) & 0xFF;
    }
    return grey;
  }

  @Test
  void firstColumnIsTheImageAndEachEpochItsOwnVariation() throws IOException {
    BufferedImage picture =
        preview("a.png", VARIED, "--rows=2", "--columns=3", "--set=data.shuffle=false");
    assertThat(picture.getWidth()).isEqualTo(2 + 4 * (8 * SIDE + 2) + 14);
    assertThat(picture.getHeight()).isEqualTo(2 + 2 * (8 * SIDE + 2));
    for (int row = 0; row < 2; row++) {
      byte[] bytes = MnistSample.image(row);
      int[] plain = image(picture, 8, row, 0);
      Set<String> columns = new HashSet<>();
      for (int i = 0; i < plain.length; i++) {
        assertThat(plain[i]).isEqualTo(bytes[i] & 0xFF);
      }
      for (int column = 0; column < 4; column++) {
        columns.add(java.util.Arrays.toString(image(picture, 8, row, column)));
      }
      assertThat(columns).hasSize(4);
    }
  }

  @Test
  void epochsAreThoseOfTheRunWhereverThePictureBegins() throws IOException {
    BufferedImage early =
        preview("a.png", VARIED, "--rows=1", "--columns=3", "--set=data.shuffle=false");
    BufferedImage late =
        preview(
            "b.png", VARIED, "--rows=1", "--columns=3", "--epoch=3", "--set=data.shuffle=false");
    assertThat(image(late, 8, 0, 1)).isEqualTo(image(early, 8, 0, 3));
  }

  @Test
  void theRowsAreListedWithTheirClasses() throws IOException {
    Cli result =
        Cli.run(
            "preview",
            run.toString(),
            "--out=" + temp.resolve("deeper.png"),
            "--rows=3",
            "--set=data.shuffle=false");
    assertThat(result.out())
        .startsWith("tiny: training images of " + temp.resolve("data"))
        .contains("columns: all the same, since the run file has no data.augment\n")
        .contains("\n  1      0      5\n", "\n  2      1      0\n", "\n  3      2      4\n")
        .endsWith("er.png: 962 x 260 pixels\n");
    assertThat(temp.resolve("deeper.png")).isNotEmptyFile();
  }

  @Test
  void aPictureThatCannotBeWrittenIsToldBeforeTheWork() {
    Path file = temp.resolve("deep/er.png");
    Cli missing = Cli.run("preview", run.toString(), "--out=" + file);
    assertThat(missing.exitCode()).isEqualTo(2);
    assertThat(missing.err())
        .startsWith(
            "convtrain: Invalid value for option '--out': \"%s\" would lie in %s, which is no folder"
                .formatted(file, file.getParent()));
    assertThat(file.getParent()).doesNotExist();
    assertThat(Cli.run("preview", run.toString(), "--out=" + temp).err())
        .contains("\"" + temp + "\" is a folder; give a file\n");
  }

  @Test
  void moreRowsThanImagesShowAllOfThem() throws IOException {
    assertThat(preview("a.png", "--set=data.limit=3", "--columns=1").getHeight())
        .isEqualTo(2 + 3 * (8 * SIDE + 2));
  }
}
