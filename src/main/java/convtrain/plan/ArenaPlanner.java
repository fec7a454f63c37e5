package convtrain.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Places tensors in one block of memory so that those alive at the same time do not overlap.
 *
 * <p>Largest first, each at the lowest offset that is free for its whole life: simple, and within a
 * few percent of the best known placements for networks (Pisarchyk and Lee, "Efficient memory
 * management for deep neural net inference", 2020, greedy by size).
 */
final class ArenaPlanner {
  private static final long ALIGNMENT = 64;

  /** A tensor's life, in positions of the step, both ends included. */
  static final class Storage {
    private final long bytes;
    private int first;
    private int last;
    private long offset = -1;

    Storage(long bytes, int first, int last) {
      this.bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
      this.first = first;
      this.last = last;
    }

    /** Makes the life cover another position. */
    void liveAt(int position) {
      first = Math.min(first, position);
      last = Math.max(last, position);
    }

    long bytes() {
      return bytes;
    }

    long offset() {
      return offset;
    }

    int first() {
      return first;
    }

    int last() {
      return last;
    }

    private boolean meets(Storage other) {
      return first <= other.last && other.first <= last;
    }

    private long end() {
      return offset + bytes;
    }
  }

  private final List<Storage> storages = new ArrayList<>();

  Storage add(long bytes, int first, int last) {
    Storage storage = new Storage(bytes, first, last);
    storages.add(storage);
    return storage;
  }

  /** Gives every storage its offset; returns the size of the block. */
  long place() {
    List<Storage> placed = new ArrayList<>();
    List<Storage> bySize = new ArrayList<>(storages);
    bySize.sort(Comparator.comparingLong(Storage::bytes).reversed());
    long size = 0;
    for (Storage storage : bySize) {
      storage.offset = lowestFree(storage, placed);
      placed.add(storage);
      size = Math.max(size, storage.end());
    }
    return size;
  }

  private static long lowestFree(Storage storage, List<Storage> placed) {
    long offset = 0;
    List<Storage> rivals =
        placed.stream()
            .filter(storage::meets)
            .sorted(Comparator.comparingLong(Storage::offset))
            .toList();
    for (Storage rival : rivals) {
      if (offset + storage.bytes <= rival.offset) {
        break;
      }
      offset = Math.max(offset, rival.end());
    }
    return offset;
  }
}
