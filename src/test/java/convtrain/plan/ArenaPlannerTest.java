package convtrain.plan;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.plan.ArenaPlanner.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class ArenaPlannerTest {
  private static final int POSITIONS = 20;

  /** A tensor to place. */
  record Life(long bytes, int first, int length) {}

  @Provide
  Arbitrary<List<Life>> lives() {
    return Combinators.combine(
            Arbitraries.longs().between(1, 10_000),
            Arbitraries.integers().between(0, POSITIONS - 1),
            Arbitraries.integers().between(0, POSITIONS))
        .as(Life::new)
        .list()
        .ofMaxSize(40);
  }

  @Property(tries = 300)
  void storagesThatLiveTogetherNeverOverlap(
      @ForAll("lives") List<Life> lives, @ForAll boolean slots) {
    ArenaPlanner planner = new ArenaPlanner(slots);
    List<Storage> storages = add(lives, planner);
    long size = planner.place();
    for (int i = 0; i < storages.size(); i++) {
      Storage a = storages.get(i);
      assertThat(a.bytes()).isGreaterThanOrEqualTo(lives.get(i).bytes);
      assertThat(a.offset()).isNotNegative();
      assertThat(a.offset() % 256).isZero();
      assertThat(a.offset() + a.bytes()).isLessThanOrEqualTo(size);
      for (Storage b : storages.subList(0, i)) {
        boolean together = a.first() <= b.last() && b.first() <= a.last();
        boolean overlap =
            a.offset() < b.offset() + b.bytes() && b.offset() < a.offset() + a.bytes();
        assertThat(together && overlap).as("%s and %s", i, storages.indexOf(b)).isFalse();
      }
    }
    assertThat(size).isBetween(most(storages), sum(storages));
  }

  @Property(tries = 300)
  void inSlotsTensorsShareAllOfTheirMemoryOrNone(@ForAll("lives") List<Life> lives) {
    ArenaPlanner planner = new ArenaPlanner(true);
    List<Storage> storages =
        add(
            lives.stream().map(l -> new Life(l.bytes % 5 * 1280, l.first, l.length)).toList(),
            planner);
    planner.place();
    for (Storage a : storages) {
      for (Storage b : storages) {
        boolean overlap =
            a.offset() < b.offset() + b.bytes() && b.offset() < a.offset() + a.bytes();
        if (overlap) {
          assertThat(a.offset()).isEqualTo(b.offset());
          assertThat(a.bytes()).isEqualTo(b.bytes());
        }
      }
    }
  }

  private static List<Storage> add(List<Life> lives, ArenaPlanner planner) {
    List<Storage> storages = new ArrayList<>();
    for (Life life : lives) {
      Storage storage = planner.add(life.bytes, life.first, life.first);
      storage.liveAt(life.first + life.length);
      storages.add(storage);
    }
    return storages;
  }

  @Test
  void aSlotIsUsedAgainByATensorOfItsSizeOnly() {
    ArenaPlanner planner = new ArenaPlanner(true);
    Storage first = planner.add(1280, 0, 0);
    Storage smaller = planner.add(512, 1, 1);
    Storage second = planner.add(1280, 2, 2);
    assertThat(planner.place()).isEqualTo(1280 + 512);
    assertThat(second.offset()).isEqualTo(first.offset());
    assertThat(smaller.offset()).isEqualTo(1280);
  }

  /** The most that lives at one position. */
  private static long most(List<Storage> storages) {
    return IntStream.range(0, 2 * POSITIONS)
        .mapToLong(
            at -> sum(storages.stream().filter(s -> s.first() <= at && at <= s.last()).toList()))
        .max()
        .orElseThrow();
  }

  private static long sum(List<Storage> storages) {
    return storages.stream().mapToLong(Storage::bytes).sum();
  }

  @Test
  void memoryIsUsedAgainOnceATensorIsDead() {
    ArenaPlanner planner = new ArenaPlanner(false);
    for (int position = 0; position < 10; position++) {
      planner.add(1280, position, position + 1);
    }
    assertThat(planner.place()).isEqualTo(2 * 1280);
  }

  @Test
  void lifeGrowsToBothSides() {
    Storage storage = new ArenaPlanner(false).add(1, 5, 5);
    storage.liveAt(7);
    storage.liveAt(3);
    storage.liveAt(4);
    assertThat(storage.first()).isEqualTo(3);
    assertThat(storage.last()).isEqualTo(7);
  }

  @Test
  void nothingNeedsNoMemory() {
    assertThat(new ArenaPlanner(false).place()).isZero();
  }
}
