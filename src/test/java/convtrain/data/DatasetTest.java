package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetTest {
  @TempDir Path dir;

  @Test
  void imagesAndLabelsStayTogetherAcrossChunksAndInViews() {
    Path images = Idx.images(dir.resolve("i"), 11, 2, 3, 4);
    Path labels = Idx.labels(dir.resolve("l"), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255);
    List<Integer> asked = new ArrayList<>();
    Dataset data =
        Dataset.read(
            images,
            labels,
            bytes -> {
              asked.add(bytes);
              return ByteBuffer.allocateDirect(bytes);
            },
            5 * 24 + 1);

    assertThat(asked).containsExactly(5 * 24, 5 * 24, 24);
    assertThat(data.shape()).isEqualTo(Shape.image(2, 3, 4));
    assertThat(data.label(10)).isEqualTo(255);
    ByteBuffer all = ByteBuffer.allocateDirect(11 * 24);
    for (int i = 0; i < data.size(); i++) {
      data.copyImage(i, all);
    }
    for (int at = 0; at < all.capacity(); at++) {
      assertThat(all.get(at)).isEqualTo(Idx.pixel(at / 24, at % 24));
    }

    Dataset view = data.subset(new int[] {10, 3, 7}).limit(2).subset(new int[] {1, 0});
    assertThat(IntStream.range(0, view.size()).map(view::label)).containsExactly(3, 255);
    assertThat(IntStream.range(0, view.size()).map(i -> Idx.index(view, i))).containsExactly(3, 10);
  }

  @Test
  void limitKeepsTheFirstSamples() {
    Dataset data = Idx.dataset(new int[] {5, 6, 7});
    assertThat(data.limit(2).size()).isEqualTo(2);
    assertThat(data.limit(2).label(1)).isEqualTo(6);
    assertThat(data.limit(9)).isSameAs(data);
    assertThatIllegalArgumentException().isThrownBy(() -> data.limit(0));
  }

  @Test
  void imagesOfRankThreeHaveOneChannel() {
    assertThat(Idx.dataset(new int[] {0}).shape()).isEqualTo(Shape.image(1, 3, 2));
  }

  @Test
  void labelsOfAnyIntegerTypeAreRead() {
    Path images = Idx.images(dir.resolve("i"), 2, 1, 1);
    Path labels = dir.resolve("l");
    ByteBuffer ints = ByteBuffer.allocate(8).putInt(70_000).putInt(3).flip();
    IdxFile.write(labels, IdxHeader.of(IdxHeader.Type.INT, 2), List.of(ints));
    assertThat(Dataset.read(images, labels, ByteBuffer::allocate).label(0)).isEqualTo(70_000);
  }

  @Test
  void firstLabelOutsideTheClassesIsNamedByItsPlaceInTheFile() {
    Dataset data = Idx.dataset(new int[] {0, 1, 10, 3, 11});
    data.checkClasses(12);
    data.limit(2).checkClasses(10);
    assertError(
        () -> data.subset(new int[] {3, 4, 2}).checkClasses(11),
        "label 11 at index 4; expected 0 to 10");
    assertError(() -> data.checkClasses(10), "label 10 at index 2; expected 0 to 9");
  }

  @Test
  void swappedFilesAreCalledSwapped() {
    Path images = Idx.images(dir.resolve("i"), 2, 3, 2);
    Path labels = Idx.labels(dir.resolve("l"), 1, 2);
    assertError(() -> read(labels, images), labels + " and " + images + " are swapped");
    assertError(() -> read(labels, labels), "holds labels ubyte [2], expected images");
    assertError(() -> read(images, images), "expected labels [N]; give the labels file");
  }

  @Test
  void countsOfImagesAndLabelsMustAgree() {
    Path images = Idx.images(dir.resolve("i"), 3, 3, 2);
    Path labels = Idx.labels(dir.resolve("l"), 1, 2);
    assertError(() -> read(images, labels), "has 3 images and " + labels + " has 2 labels");
  }

  @Test
  void negativeAndFloatingLabelsAreRefused() {
    Path images = Idx.images(dir.resolve("i"), 2, 3, 2);
    Path labels = dir.resolve("l");
    ByteBuffer bytes = ByteBuffer.wrap(new byte[] {4, -3});
    IdxFile.write(labels, IdxHeader.of(IdxHeader.Type.SBYTE, 2), List.of(bytes));
    assertError(() -> read(images, labels), "label -3 at index 1; expected 0 or above");
    IdxFile.write(labels, IdxHeader.of(IdxHeader.Type.FLOAT, 2), List.of(ByteBuffer.allocate(8)));
    assertError(() -> read(images, labels), "found labels float [2], expected an integer type");
  }

  @Test
  void imagesOfAnotherTypeOrRankAreRefused() {
    Path labels = Idx.labels(dir.resolve("l"), 1, 2);
    Path images = dir.resolve("i");
    IdxFile.write(
        images, IdxHeader.of(IdxHeader.Type.FLOAT, 2, 1, 1), List.of(ByteBuffer.allocate(8)));
    assertError(() -> read(images, labels), "found float [2, 1, 1], expected images as ubyte");
    assertError(() -> read(Idx.images(images, 2, 6), labels), "found ubyte [2, 6], expected");
  }

  @Test
  void filesAreFoundUnderTheirUsualNamesRawOrGzip() {
    Idx.images(dir.resolve("train-images.idx3-ubyte.gz"), 2, 3, 2);
    Idx.labels(dir.resolve("train-labels-idx1-ubyte"), 1, 2);
    Idx.images(dir.resolve("t10k-images-idx4-ubyte"), 1, 3, 3, 2);
    Idx.labels(dir.resolve("t10k-labels.idx1-ubyte.gz"), 4);
    assertThat(load("own", true).size()).isEqualTo(2);
    assertThat(load("own", false).shape()).isEqualTo(Shape.image(3, 3, 2));
  }

  @Test
  void missingFilesAreListedWithTheCommandThatBringsThem() {
    assertError(
        () -> load("mnist", true),
        dir + ": no training images of mnist; looked for train-images-idx3-ubyte, ",
        "run scripts/fetch-data mnist --dir " + dir);
    Idx.images(dir.resolve("test-images-idx3-ubyte"), 2, 3, 2);
    assertError(
        () -> load("own", false),
        "no test labels of own; looked for t10k-labels-idx1-ubyte",
        "test-labels.idx1-ubyte, each also with .gz; put the files there",
        "split some of the training images and their labels off into t10k-images-idx3-ubyte");
    assertError(
        () -> DatasetFiles.load("own", dir.resolve("no"), true, ByteBuffer::allocate),
        "(there is no such folder)");
  }

  private Dataset load(String dataset, boolean train) {
    return DatasetFiles.load(dataset, dir, train, ByteBuffer::allocate);
  }

  private static Dataset read(Path images, Path labels) {
    return Dataset.read(images, labels, ByteBuffer::allocate);
  }

  private static void assertError(Runnable action, String... parts) {
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(action::run)
        .satisfies(e -> assertThat(e.getMessage()).contains(parts));
  }
}
