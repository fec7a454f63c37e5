package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import convtrain.graph.AugmentSpec;
import convtrain.graph.MixSpec;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code data.augment}: torchvision's words and defaults, and what is no augmentation. */
class AugmentConfigTest {
  @TempDir private Path folder;

  private RunConfig load(String... overrides) {
    return RunFile.load(folder, RunFile.TEXT, overrides);
  }

  @Test
  void partsHaveTorchvisionsDefaults() {
    RunConfig config =
        load(
            "data.augment.random_affine.degrees=7",
            "data.augment.elastic_transform={}",
            "data.augment.random_crop.padding=2",
            "data.augment.random_erasing={}");
    assertThat(config.data().augment())
        .isEqualTo(
            new AugmentSpec(
                new AugmentSpec.RandomAffine(List.of(7.0), null, null, null),
                new AugmentSpec.ElasticTransform(50.0, 5.0),
                new AugmentSpec.RandomCrop(2),
                new AugmentSpec.RandomErasing(0.5, List.of(0.02, 0.33), List.of(0.3, 3.3), 0.0)));
    assertThat(RunFile.load(folder, RunConfigLoader.toJson(config))).isEqualTo(config);
  }

  @Test
  void rangesAreKeptAsTheyAreWritten() {
    RunConfig config =
        load(
            "data.augment.random_affine={\"degrees\": [-5, 10], \"translate\": [0.1, 0],"
                + " \"scale\": [0.9, 1.1], \"shear\": [-1, 2, -3, 4]}");
    assertThat(RunConfigLoader.toJson(config))
        .contains("\"degrees\" : [ -5.0, 10.0 ]", "\"shear\" : [ -1.0, 2.0, -3.0, 4.0 ]")
        .doesNotContain("elastic_transform");
    assertThat(RunFile.load(folder, RunConfigLoader.toJson(config))).isEqualTo(config);
    assertThat(RunConfigLoader.toJson(load("data.augment.random_affine.degrees=7")))
        .contains("\"degrees\" : 7.0");
  }

  @Test
  void nothingIsVariedUnlessAPartSaysSo() {
    assertThat(load().data().augment()).isNull();
    RunConfig empty = load("data.augment={}");
    assertThat(empty).isEqualTo(load());
    assertThat(RunConfigLoader.toJson(empty)).doesNotContain("augment");
    assertThat(
            load("data.augment.random_crop.padding=2", "data.augment.random_crop=null")
                .data()
                .augment())
        .isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          rotate=5 | rotate: unknown key; known keys: random_affine, random_crop, random_erasing, elastic_transform
          random_affine={} | random_affine: degrees is missing; expected a number or a list of numbers
          random_affine.degrees=-7 | random_affine: degrees=-7.0; expected 0.0 to 360.0
          random_affine.degrees=[1, 2, 3] | random_affine: degrees=[1.0, 2.0, 3.0]; expected a number or [min, max]
          random_affine.degrees=[5, -5] | random_affine: degrees=[5.0, -5.0]; expected [min, max], the smaller first
          random_affine={"degrees": 1, "translate": 0.1} | random_affine.translate: found 0.1 (a number), expected a list of numbers
          random_affine={"degrees": 1, "translate": [0.1]} | random_affine: translate=[0.1]; expected two numbers
          random_affine={"degrees": 1, "translate": [0.1, 1.5]} | random_affine: translate=1.5; expected 0.0 to 1.0
          random_affine={"degrees": 1, "scale": [0, 1]} | random_affine: scale=0.0; expected a number above 0
          random_affine={"degrees": 1, "shear": 90} | random_affine: shear=90.0; expected 0.0 to 89.0
          random_affine={"degrees": 1, "shear": [1, 2, 3]} | random_affine: shear=[1.0, 2.0, 3.0]; expected a number, [min, max], or [min x, max x, min y, max y]
          elastic_transform.alpha=0 | elastic_transform: alpha=0.0; expected a number above 0
          elastic_transform.sigma=7 | elastic_transform.sigma=7.0 smooths over 28 pixels on each side; expected at most 6.75 for images [1, 28, 28]
          random_crop={} | random_crop: padding is missing; expected an integer
          random_crop.padding=0 | random_crop: padding=0; expected at least 1
          random_crop.padding=28 | random_crop.padding=28; expected at most 27 for images [1, 28, 28]
          random_erasing.p=1.5 | random_erasing: p=1.5; expected 0.0 to 1.0
          random_erasing.scale=[0.3, 0.1] | random_erasing: scale=[0.3, 0.1]; expected [min, max], the smaller first
          random_erasing.ratio=[0, 1] | random_erasing: ratio=0.0; expected 0.001 to 1000.0
          random_erasing.value=random | random_erasing.value: found "random" (a string), expected a number
          """)
  void whatCannotBeIsRefused(String override, String message) {
    String full = "data.augment." + override;
    String found = catchThrowableOfType(ConfigException.class, () -> load(full)).getMessage();
    String separator = message.startsWith(override.replaceFirst("=.*", "=")) ? ": " : ".";
    assertThat(found).isEqualTo("--set " + full + ": data.augment" + separator + message);
  }

  @Test
  void samplesAreMixedByMixupOrCutmixIfAtAll() {
    assertThat(load().train().mix()).isNull();
    assertThat(load("train.mixup={}").train().mix()).isEqualTo(new MixSpec.Mixup(1.0));
    RunConfig cut = load("train.cutmix.alpha=0.5");
    assertThat(cut.train().mix()).isEqualTo(new MixSpec.Cutmix(0.5));
    assertThat(RunFile.load(folder, RunConfigLoader.toJson(cut))).isEqualTo(cut);
    assertThat(message("train.mixup={}", "train.cutmix={}"))
        .isEqualTo(
            "--set train.cutmix={}: train: cutmix is given beside mixup; expected one of them");
    assertThat(message("train.mixup.alpha=0"))
        .isEqualTo("--set train.mixup.alpha=0: train.mixup: alpha=0.0; expected 0.01 to 100.0");
  }

  private String message(String... overrides) {
    return catchThrowableOfType(ConfigException.class, () -> load(overrides)).getMessage();
  }

  @Test
  void vectorsCannotBeVaried() {
    String flat = "{\"input\": [784], \"layers\": [{\"type\": \"linear\", \"out_features\": 10}]}";
    assertThat(
            catchThrowableOfType(
                    ConfigException.class,
                    () -> load("model=" + flat, "data.augment.random_crop.padding=2"))
                .getMessage())
        .endsWith("needs images [channels, height, width], found the input [784]");
  }
}
