package convtrain.backend.cuda.device;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Host memory for the arguments of launches, cut from larger pieces. It is pinned memory for one
 * reason: its address is known, so that the array of pointers that {@code cuLaunchKernel} wants can
 * be written once and handed over by its address alone.
 */
final class ParameterBlocks implements AutoCloseable {
  private static final int PIECE_BYTES = 64 << 10;
  private static final int GRAIN_BYTES = 64;
  private static final Cleaner CLEANER = Cleaner.create();

  /**
   * A block of host memory.
   *
   * @param address where it starts
   * @param bytes its content, in native order
   */
  record Block(long address, ByteBuffer bytes) {}

  private final List<PinnedBuffer> pieces = new ArrayList<>();
  private final Map<Integer, Queue<Block>> free = new ConcurrentHashMap<>();
  private int used = PIECE_BYTES;

  /**
   * A block for as long as its user is reachable. The driver copies arguments when it is called, so
   * no launch in flight reads a block that changed hands.
   */
  Block take(int bytes, Object user) {
    int size = (bytes + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES;
    if (size > PIECE_BYTES) {
      throw new IllegalArgumentException(
          "arguments of %d bytes; expected at most %d".formatted(bytes, PIECE_BYTES));
    }
    Queue<Block> returned = free.computeIfAbsent(size, any -> new ConcurrentLinkedQueue<>());
    Block block = returned.poll();
    Block taken = block != null ? block : cut(size);
    CLEANER.register(user, () -> returned.add(taken));
    return taken;
  }

  private Block cut(int size) {
    if (used + size > PIECE_BYTES) {
      pieces.add(new PinnedBuffer(PIECE_BYTES));
      used = 0;
    }
    PinnedBuffer piece = pieces.get(pieces.size() - 1);
    ByteBuffer bytes = piece.bytes().slice(used, size).order(ByteOrder.nativeOrder());
    Block block = new Block(piece.address() + used, bytes);
    used += size;
    return block;
  }

  @Override
  public void close() {
    free.clear();
    pieces.forEach(PinnedBuffer::close);
    pieces.clear();
    used = PIECE_BYTES;
  }
}
