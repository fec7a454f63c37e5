package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import convtrain.graph.Shape;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageFileTest {
  private static final Shape MNIST = Shape.image(1, 28, 28);

  @TempDir Path dir;

  @Test
  void darkStrokeOnWhitePaperIsTurnedAndScaledToTheNetworksShape() throws IOException {
    BufferedImage page = new BufferedImage(280, 280, BufferedImage.TYPE_INT_RGB);
    draw(page, Color.WHITE, 0, 0, 280, 280);
    draw(page, Color.BLACK, 130, 60, 20, 160);

    ImageFile.Picture picture = one(png(page), MNIST, true);

    assertThat(picture.inverted()).isTrue();
    assertThat(picture.scaled()).isTrue();
    for (int i = 0; i < 28 * 28; i++) {
      boolean stroke = i % 28 >= 13 && i % 28 < 15 && i / 28 >= 6 && i / 28 < 22;
      assertThat(picture.pixels()[i] & 0xFF).isEqualTo(stroke ? 255 : 0);
    }
  }

  @Test
  void lightStrokeOnBlackOfTheRightSizeIsTakenAsItIs() throws IOException {
    BufferedImage image = new BufferedImage(28, 28, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 28 * 28; i++) {
      image.getRaster().setSample(i % 28, i / 28, 0, i / 28 > 3 && i / 28 < 24 ? i % 251 : 0);
    }
    Path file = png(image);

    ImageFile.Picture picture = one(file, MNIST, true);

    assertThat(picture.source()).isEqualTo(file.toString());
    assertThat(picture.inverted()).isFalse();
    assertThat(picture.scaled()).isFalse();
    for (int i = 0; i < 28 * 28; i++) {
      assertThat(picture.pixels()[i] & 0xFF)
          .isEqualTo(image.getRaster().getSample(i % 28, i / 28, 0));
    }
  }

  @Test
  void nothingIsTurnedForDataThatIsNotLightOnDark() throws IOException {
    BufferedImage page = new BufferedImage(28, 28, BufferedImage.TYPE_INT_RGB);
    draw(page, Color.WHITE, 0, 0, 28, 28);
    draw(page, Color.BLACK, 10, 10, 8, 8);
    ImageFile.Picture picture = one(png(page), MNIST, false);
    assertThat(picture.inverted()).isFalse();
    assertThat(picture.pixels()[0]).isEqualTo((byte) 255);
  }

  @Test
  void oblongPictureKeepsItsAspectRatioAndIsCentred() throws IOException {
    BufferedImage bar = new BufferedImage(8, 4, BufferedImage.TYPE_INT_RGB);
    draw(bar, Color.WHITE, 2, 1, 4, 2);
    byte[] pixels = one(png(bar), Shape.image(1, 4, 4), true).pixels();
    assertThat(unsigned(pixels))
        .containsExactly(0, 0, 0, 0, 0, 128, 128, 0, 0, 128, 128, 0, 0, 0, 0, 0);
  }

  @Test
  void smallPictureIsInterpolatedBetweenPixelCentres() throws IOException {
    BufferedImage two = new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB);
    draw(two, Color.WHITE, 1, 0, 1, 2);
    byte[] pixels = one(png(two), Shape.image(1, 4, 4), false).pixels();
    assertThat(unsigned(Arrays.copyOf(pixels, 4))).containsExactly(0, 64, 191, 255);
    assertThat(Arrays.copyOfRange(pixels, 12, 16)).isEqualTo(Arrays.copyOf(pixels, 4));
  }

  @Test
  void areaMeanCountsCutPixelsInPart() {
    float[] line = Resampler.fit(new float[] {30, 60, 90, 30, 60, 90, 30, 60, 90}, 3, 3, 2, 2, 0);
    assertThat(line).containsExactly(40, 80, 40, 80);
  }

  @Test
  void colourBecomesGreyByLuminanceOrStaysColour() throws IOException {
    BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_RGB);
    image.setRGB(0, 0, 0x0A141E);
    image.setRGB(1, 0, 0xFF0000);
    Path file = png(image);
    assertThat(unsigned(one(file, Shape.image(1, 1, 2), false).pixels())).containsExactly(18, 76);
    assertThat(unsigned(one(file, Shape.image(3, 1, 2), false).pixels()))
        .containsExactly(10, 255, 20, 0, 30, 0);
  }

  @Test
  void transparencyLiesOnWhite() throws IOException {
    BufferedImage image = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
    image.setRGB(0, 0, 0x00000000);
    image.setRGB(1, 0, 0xFF000000);
    image.setRGB(2, 0, 0x80000000);
    assertThat(unsigned(one(png(image), Shape.image(1, 1, 3), false).pixels()))
        .containsExactly(255, 0, 127);
  }

  @Test
  void everyImageOfAnIdxFileIsReadAsItIs() {
    Path file = Idx.images(dir.resolve("i.gz"), 3, 2, 2);
    List<ImageFile.Picture> pictures = ImageFile.read(file, Shape.image(1, 2, 2), true);
    assertThat(pictures).extracting(ImageFile.Picture::source).endsWith(file + "[2]").hasSize(3);
    for (int i = 0; i < 3; i++) {
      assertThat(pictures.get(i).pixels())
          .containsExactly(Idx.pixel(i, 0), Idx.pixel(i, 1), Idx.pixel(i, 2), Idx.pixel(i, 3));
      assertThat(pictures.get(i).inverted()).isFalse();
    }
    assertThat(ImageFile.read(file, MNIST, true)).hasSize(3).allMatch(ImageFile.Picture::scaled);
  }

  @Test
  void idxChannelsAreSpreadOrMadeGreyWhereThatMakesSense() {
    Path grey = Idx.images(dir.resolve("grey"), 1, 1, 2);
    byte[] spread = one(grey, Shape.image(2, 1, 2), false).pixels();
    assertThat(spread).containsExactly(0, 0, 0, 0);
    Path colour = Idx.images(dir.resolve("colour"), 2, 3, 1, 1);
    float luminance = 0.299f * 1 + 0.114f * (31 + 14);
    assertThat(ImageFile.read(colour, Shape.image(1, 1, 1), false).get(1).pixels())
        .containsExactly((byte) Math.round(luminance));
    assertError(() -> one(colour, Shape.image(4, 1, 1), false), "have 3 channels; expected 4");
  }

  @Test
  void whatIsNoPictureIsNamed() throws IOException {
    Path text = Files.writeString(dir.resolve("note.txt"), "a seven");
    Path cut = dir.resolve("cut.png");
    byte[] whole = Files.readAllBytes(png(new BufferedImage(9, 9, BufferedImage.TYPE_INT_RGB)));
    Files.write(cut, Arrays.copyOf(whole, 40));
    Path empty = Files.createFile(dir.resolve("empty.png"));

    assertError(() -> one(text, MNIST, true), text + ": not a picture; expected PNG");
    assertError(() -> one(cut, MNIST, true), cut + ": damaged picture: ");
    assertError(() -> one(cut, MNIST, true), "save it anew as PNG");
    assertError(() -> one(empty, MNIST, true), empty + ": not a picture");
    assertError(() -> one(dir, MNIST, true), dir + ": is a folder");
    assertError(() -> one(dir.resolve("none"), MNIST, true), "none: no such file");
    assertError(() -> one(Idx.labels(dir.resolve("l"), 1), MNIST, true), "holds labels ubyte [1]");
  }

  @Test
  void pictureWithAnUnreasonableSizeIsRefusedBeforeItIsDecoded() throws IOException {
    byte[] png = Files.readAllBytes(png(new BufferedImage(9, 9, BufferedImage.TYPE_INT_RGB)));
    Path huge = dir.resolve("huge.png");
    ByteBuffer header = ByteBuffer.wrap(png);
    header.putInt(16, 60_000).putInt(20, 60_000);
    CRC32 sum = new CRC32();
    sum.update(png, 12, 17);
    header.putInt(29, (int) sum.getValue());
    Files.write(huge, png);
    assertError(() -> one(huge, MNIST, true), "has 60000 x 60000 pixels; expected at most 50");
  }

  @Test
  void networkWithChannelsThatNoPictureHasIsRefused() throws IOException {
    Path file = png(new BufferedImage(9, 9, BufferedImage.TYPE_INT_RGB));
    assertError(() -> one(file, Shape.image(2, 9, 9), true), "the network expects 2");
  }

  private Path png(BufferedImage image) throws IOException {
    Path file = Files.createTempFile(dir, "picture", ".png");
    ImageIO.write(image, "png", file.toFile());
    return file;
  }

  private static ImageFile.Picture one(Path file, Shape wanted, boolean lightOnDark) {
    return ImageFile.read(file, wanted, lightOnDark).get(0);
  }

  private static void draw(BufferedImage image, Color colour, int x, int y, int w, int h) {
    Graphics2D g = image.createGraphics();
    g.setColor(colour);
    g.fillRect(x, y, w, h);
    g.dispose();
  }

  private static int[] unsigned(byte[] bytes) {
    int[] out = new int[bytes.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = bytes[i] & 0xFF;
    }
    return out;
  }

  private static void assertError(Runnable action, String part) {
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(action::run)
        .withMessageContaining(part);
  }
}
