package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import convtrain.backend.Owned;
import convtrain.backend.cuda.natives.CacheFolder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import jcuda.driver.CUstream;

/**
 * Picks the fastest of several ways to compute the same thing, by measuring them on the stream, and
 * remembers it: in memory, and in a file of the cache folder that belongs to this device, driver
 * and cuDNN. A rerun so takes the same ways and computes the same bits. Of processes that measure
 * at the same time, all take what the first of them kept.
 */
public final class Tuner implements AutoCloseable {
  private static final int REPEATS = 7;
  private static final int RUNS_PER_REPEAT = 10;
  private static final float SLOW_MILLIS = 2;
  private static final long WARM_UP_NANOS = 50_000_000;

  /** Nothing was measured for so long that the clock may have fallen. */
  private static final long IDLE_NANOS = 500_000_000;

  /** How much faster a later candidate must be: less is noise, and would differ between runs. */
  private static final float MARGIN = 0.98f;

  /** With {@code off}, the first candidate is taken and nothing is measured: a quick start. */
  static final String PROPERTY = "convtrain.tuning";

  private static final String MEASURES_NOT = "off";

  /**
   * Some runs of a candidate, a single one if it is slow.
   *
   * @param graph null if it cannot be captured: infinitely slow, since no step could contain it
   */
  private record Captured(CudaGraph graph, int runs) {}

  private final Owned owned = new Owned();
  private final CUstream stream;
  private final boolean deterministic;
  private final CacheFolder folder;
  private final String file;
  private final CudaEvent start;
  private final CudaEvent end;
  private final Map<String, String> chosen = new LinkedHashMap<>();
  private long busyNanos = System.nanoTime() - 2 * IDLE_NANOS;

  /**
   * @param platform device and library versions that measurements hold for
   * @param deterministic whether a choice that cannot be kept for the next run is not measured but
   *     falls on the first candidate
   */
  Tuner(CUstream stream, String platform, boolean deterministic, CacheFolder folder) {
    this.stream = stream;
    this.deterministic = deterministic;
    this.folder = folder;
    byte[] name = platform.getBytes(StandardCharsets.UTF_8);
    file = "tuning/" + HexFormat.of().formatHex(Sha256.of(name)).substring(0, 16) + ".txt";
    start = owned.add(CudaEvent.forTiming());
    try {
      end = owned.add(CudaEvent.forTiming());
    } catch (RuntimeException e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /**
   * The index of the fastest candidate.
   *
   * @param key what is computed, with everything its speed depends on (op, shapes, precision); no
   *     tabs or line ends
   * @param names of the candidates, by which a choice is remembered
   * @param candidates each enqueues its way; run several times, also under capture
   */
  public int pick(String key, List<String> names, List<Runnable> candidates) {
    if (names.isEmpty() || names.size() != candidates.size()) {
      throw new IllegalArgumentException(
          "%s: %d names of %d candidates; expected as many, and at least one"
              .formatted(key, names.size(), candidates.size()));
    }
    int known = known(key, names);
    if (known >= 0) {
      return known;
    }
    if (names.size() == 1 || MEASURES_NOT.equals(System.getProperty(PROPERTY))) {
      return 0;
    }
    int fastest = measure(candidates);
    if (keep(key, names, fastest)) {
      return remembered(key, names);
    }
    int taken = deterministic ? 0 : fastest;
    chosen.put(key, names.get(taken));
    return taken;
  }

  /** The index of the candidate that was chosen before, in this process or another; -1 if none. */
  public int known(String key, List<String> names) {
    if (remembered(key, names) < 0) {
      recall();
    }
    return remembered(key, names);
  }

  private int remembered(String key, List<String> names) {
    String name = chosen.get(key);
    return name == null ? -1 : names.indexOf(name);
  }

  /** Adds what the file holds and memory does not. */
  private void recall() {
    choices(folder.read(file).orElse(new byte[0])).forEach(chosen::putIfAbsent);
  }

  /** A file's choices by key; lines that are not ours are passed over. */
  private static Map<String, String> choices(byte[] content) {
    Map<String, String> choices = new LinkedHashMap<>();
    for (String line : new String(content, StandardCharsets.UTF_8).split("\n")) {
      String[] keyAndName = line.split("\t", -1);
      if (keyAndName.length == 2) {
        choices.putIfAbsent(keyAndName[0], keyAndName[1]);
      }
    }
    return choices;
  }

  /**
   * Keeps a choice in the file and in memory. If another process kept one for the key while this
   * one measured, that one is taken: it is what a rerun reads.
   *
   * @return whether the file has the choice that memory now has
   */
  private boolean keep(String key, List<String> names, int fastest) {
    return folder.update(
        file,
        content -> {
          Map<String, String> kept = choices(content);
          boolean known = names.contains(kept.getOrDefault(key, ""));
          if (!known) {
            kept.put(key, names.get(fastest));
          }
          chosen.put(key, kept.get(key));
          chosen.forEach(kept::putIfAbsent);
          return known ? content : bytes(kept);
        });
  }

  private static byte[] bytes(Map<String, String> choices) {
    return choices.entrySet().stream()
        .map(choice -> choice.getKey() + "\t" + choice.getValue() + "\n")
        .collect(Collectors.joining())
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Captures all, since steps are captured, and takes each in turn: clocks and heat change. */
  private int measure(List<Runnable> candidates) {
    try (Owned graphs = new Owned()) {
      List<Captured> captured =
          candidates.stream().map(candidate -> captured(candidate, graphs)).toList();
      warmUp(captured);
      float[][] millis = new float[captured.size()][REPEATS];
      for (int repeat = 0; repeat < REPEATS; repeat++) {
        for (int i = 0; i < millis.length; i++) {
          millis[i][repeat] = millis(captured.get(i));
        }
      }
      busyNanos = System.nanoTime();
      return fastest(millis);
    }
  }

  private Captured captured(Runnable candidate, Owned graphs) {
    try {
      candidate.run();
      int runs = timed(candidate) > SLOW_MILLIS ? 1 : RUNS_PER_REPEAT;
      Runnable several =
          () -> {
            for (int i = 0; i < runs; i++) {
              candidate.run();
            }
          };
      return new Captured(graphs.add(CudaGraph.capture(stream, several)), runs);
    } catch (CudaException e) {
      awaitAfter(e);
      return new Captured(null, 0);
    }
  }

  /** Goes on only where the device does. */
  private void awaitAfter(CudaException failure) {
    try {
      Status.cuda("cuStreamSynchronize", cuStreamSynchronize(stream));
    } catch (CudaException broken) {
      broken.addSuppressed(failure);
      throw broken;
    }
  }

  /**
   * Runs each at least once, and on until the clock of a GPU that was idle is up: an H100 idles at
   * 345 MHz and works at 1980.
   */
  private void warmUp(List<Captured> captured) {
    boolean idle = System.nanoTime() - busyNanos > IDLE_NANOS;
    long until = System.nanoTime() + (idle ? WARM_UP_NANOS : 0);
    do {
      captured.forEach(this::millis);
    } while (System.nanoTime() - until < 0);
  }

  private float millis(Captured captured) {
    return captured.graph == null
        ? Float.POSITIVE_INFINITY
        : timed(captured.graph::launch) / captured.runs;
  }

  private static int fastest(float[][] millis) {
    int fastest = 0;
    float least = Float.POSITIVE_INFINITY;
    for (int i = 0; i < millis.length; i++) {
      float median = median(millis[i]);
      if (median < least * (i == 0 ? 1 : MARGIN)) {
        least = median;
        fastest = i;
      }
    }
    return fastest;
  }

  private static float median(float[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private float timed(Runnable work) {
    start.record(stream);
    work.run();
    end.record(stream);
    end.await();
    return end.millisSince(start);
  }

  @Override
  public void close() {
    owned.close();
  }
}
