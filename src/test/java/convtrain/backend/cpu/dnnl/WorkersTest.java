package convtrain.backend.cpu.dnnl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import convtrain.graph.Precision;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class WorkersTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void eachPartRunsOnceAndTheStretchesMakeUpTheWhole(int parts) {
    Workers workers = new Workers(parts);
    AtomicIntegerArray runs = new AtomicIntegerArray(parts);
    AtomicIntegerArray things = new AtomicIntegerArray(1000);
    Workers.Task task =
        (part, of) -> {
          assertThat(of).isEqualTo(parts);
          runs.incrementAndGet(part);
          for (int i = Workers.begin(1000, part, of); i < Workers.begin(1000, part + 1, of); i++) {
            things.incrementAndGet(i);
          }
        };
    for (int round = 1; round <= 200; round++) {
      workers.run(task);
      for (int part = 0; part < parts; part++) {
        assertThat(runs.get(part)).isEqualTo(round);
      }
    }
    for (int i = 0; i < 1000; i++) {
      assertThat(things.get(i)).isEqualTo(200);
    }
  }

  @Test
  void partsRunAtOnceAndTheCallersIsTheFirst() {
    Workers workers = new Workers(3);
    CyclicBarrier all = new CyclicBarrier(3);
    Set<Thread> threads = ConcurrentHashMap.newKeySet();
    Thread[] first = new Thread[1];
    workers.run(
        (part, parts) -> {
          threads.add(Thread.currentThread());
          if (part == 0) {
            first[0] = Thread.currentThread();
          }
          try {
            all.await(30, TimeUnit.SECONDS);
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
    assertThat(threads).hasSize(3);
    assertThat(first[0]).isSameAs(Thread.currentThread());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void whatAPartThrowsReachesTheCallerAndTheNextRunIsSound(int failing) {
    Workers workers = new Workers(2);
    assertThatThrownBy(
            () ->
                workers.run(
                    (part, parts) -> {
                      if (part == failing) {
                        throw new IndexOutOfBoundsException("part " + part);
                      }
                    }))
        .isInstanceOf(IllegalStateException.class)
        .cause()
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessage("part " + failing);
    AtomicIntegerArray runs = new AtomicIntegerArray(2);
    workers.run((part, parts) -> runs.incrementAndGet(part));
    assertThat(runs.get(0)).isEqualTo(1);
    assertThat(runs.get(1)).isEqualTo(1);
  }

  @Test
  void whatOtherPartsThrowIsNotLost() {
    assertThatThrownBy(
            () ->
                new Workers(3)
                    .run(
                        (part, parts) -> {
                          throw new IllegalArgumentException("part " + part);
                        }))
        .cause()
        .satisfies(first -> assertThat(first.getSuppressed()).hasSize(2));
  }

  /** OpenMP gives a region within a region one thread. */
  @Test
  void withinAPassAPassHasOnePart() {
    Workers[] inner = {new Workers(2), new Workers(2)};
    AtomicIntegerArray parts = new AtomicIntegerArray(2);
    new Workers(2)
        .run(
            (outer, all) -> inner[outer].run((part, of) -> parts.addAndGet(outer, 10 * of + part)));
    assertThat(parts.get(0)).isEqualTo(10);
    assertThat(parts.get(1)).isEqualTo(10);
  }

  @Test
  void onOneThreadAPassIsACall() {
    RuntimeException thrown = new IllegalArgumentException("as it is");
    assertThatThrownBy(
            () ->
                new Workers(1)
                    .run(
                        (part, parts) -> {
                          throw thrown;
                        }))
        .isSameAs(thrown);
  }

  @Test
  void callersWithWorkersOfTheirOwnDoNotDisturbEachOther() throws Exception {
    AtomicIntegerArray runs = new AtomicIntegerArray(4);
    CountDownLatch done = new CountDownLatch(2);
    for (int caller = 0; caller < 2; caller++) {
      int first = 2 * caller;
      Thread thread =
          new Thread(
              () -> {
                Workers workers = new Workers(2);
                for (int i = 0; i < 500; i++) {
                  workers.run((part, parts) -> runs.incrementAndGet(first + part));
                }
                done.countDown();
              });
      thread.setDaemon(true);
      thread.start();
    }
    assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
    for (int i = 0; i < 4; i++) {
      assertThat(runs.get(i)).isEqualTo(500);
    }
  }

  @Test
  void runsAllocateNothing() {
    ThreadMXBean allocations = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Workers workers = new Workers(2);
    long[] ids = new long[2];
    workers.run((part, parts) -> ids[part] = Thread.currentThread().getId());
    int[] runs = new int[2];
    Workers.Task task = (part, parts) -> runs[part]++;
    for (int i = 0; i < 1000; i++) {
      workers.run(task);
    }
    long[] before = allocations.getThreadAllocatedBytes(ids);
    for (int i = 0; i < 10_000; i++) {
      workers.run(task);
    }
    long[] after = allocations.getThreadAllocatedBytes(ids);
    assertThat(runs).containsExactly(11_000, 11_000);
    for (int part = 0; part < 2; part++) {
      assertThat((after[part] - before[part]) / 10_000.0).as("bytes a run").isLessThan(1);
    }
  }

  @Test
  void whatIsMadeAloneHasOneThreadAndThenAllAreBack() {
    Workers workers = new Workers(2);
    int before = OpenMp.omp_get_max_threads();
    OpenMp.omp_set_num_threads(3);
    try {
      assertThat(workers.<Integer>alone(OpenMp::omp_get_max_threads)).isEqualTo(1);
      assertThat(OpenMp.omp_get_max_threads()).isEqualTo(3);
      assertThatThrownBy(
              () ->
                  workers.alone(
                      () -> {
                        throw new IllegalArgumentException("not made");
                      }))
          .hasMessage("not made");
      assertThat(OpenMp.omp_get_max_threads()).isEqualTo(3);
    } finally {
      OpenMp.omp_set_num_threads(before);
    }
    assertThat(new Workers(1).<String>alone(() -> "made")).isEqualTo("made");
  }

  /** Two OpenMP libraries would each keep their own threads spinning. */
  @Test
  void openMpIsTheOneThatOneDnnUses() throws Exception {
    new Workers(2).run((part, parts) -> {});
    try (Dnnl dnnl = new Dnnl(Precision.FP32)) {
      dnnl.stream();
      Set<String> libraries =
          Files.readAllLines(Path.of("/proc/self/maps")).stream()
              .filter(line -> line.contains("gomp"))
              .map(line -> line.substring(line.indexOf('/')))
              .collect(Collectors.toSet());
      assertThat(libraries).hasSize(1);
    }
  }
}
