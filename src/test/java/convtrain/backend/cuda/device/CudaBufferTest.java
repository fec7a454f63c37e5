package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.DeviceMemoryException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Device memory as buffers. */
class CudaBufferTest extends DeviceTest {
  @Test
  void newMemoryIsZeroedAndAligned() {
    for (int bytes : new int[] {0, 1, 255, 4096, 100_001}) {
      try (CudaBuffer buffer = context().allocate(bytes)) {
        ByteBuffer read = host(bytes);
        buffer.read(0, read);
        assertThat(read.array()).containsOnly(new byte[bytes]);
        assertThat(buffer.address() % 256).isZero();
        assertThat(buffer.bytes()).isEqualTo(bytes);
      }
    }
  }

  @Test
  void writingAndReadingCopyEveryByteOfLargeBuffers() {
    byte[] content = new byte[(9 << 20) + 17];
    new Random(1).nextBytes(content);
    try (CudaBuffer buffer = context().allocate(content.length + 10)) {
      ByteBuffer from = ByteBuffer.wrap(content);
      buffer.write(7, from);
      assertThat(from.remaining()).as("the caller's buffer stays").isEqualTo(content.length);
      ByteBuffer into = host(content.length + 10);
      buffer.read(0, into);
      assertThat(into.slice(7, content.length)).isEqualTo(ByteBuffer.wrap(content));
      assertThat(into.getInt(0)).isZero();
    }
  }

  @Test
  void slicesAreViewsOfTheSameMemory() {
    try (CudaBuffer buffer = context().allocate(64)) {
      CudaBuffer slice = buffer.slice(16, 32).slice(8, 8);
      slice.write(0, host(8).putLong(0, 42));
      ByteBuffer read = host(64);
      buffer.read(0, read);
      assertThat(read.getLong(24)).isEqualTo(42);
      assertThat(slice.address()).isEqualTo(buffer.address() + 24);
      slice.close();
      assertThat(buffer.address()).as("closing a slice does nothing").isNotZero();
    }
  }

  @Test
  void accessBeyondTheRangeFails() {
    try (CudaBuffer buffer = context().allocate(16)) {
      CudaBuffer slice = buffer.slice(4, 8);
      assertThatThrownBy(() -> slice.write(4, host(5)))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("bytes 4 to 9 of a buffer of 8");
      assertThatThrownBy(() -> slice.read(-1, host(2)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> slice.slice(0, 9)).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void useAfterCloseFails() {
    CudaBuffer buffer = context().allocate(16);
    CudaBuffer slice = buffer.slice(0, 8);
    buffer.close();
    buffer.close();
    assertThatThrownBy(() -> slice.read(0, host(8)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("this memory was released");
    assertThatThrownBy(slice::address).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(buffer::pointer).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void closingGivesTheMemoryBack() {
    long before = context().allocatedBytes();
    CudaBuffer buffer = context().allocate(1 << 20);
    assertThat(context().allocatedBytes()).isEqualTo(before + (1 << 20));
    buffer.close();
    assertThat(context().allocatedBytes()).isEqualTo(before);
  }

  @Test
  void closingWaitsForTheWorkThatUsesTheMemory() {
    CudaBuffer buffer = context().allocate(4000);
    Kernel kernel = context().kernels().get("device_test", "twice_plus_one");
    kernel.launch(4L, 256, buffer, 1000).enqueue();
    buffer.close();
    context().synchronize();
  }

  @Test
  void moreThanTheDeviceHasSaysHowMuchWasAskedForAndIsFree() {
    long bytes = context().info().memoryBytes() + 1;
    assertThatThrownBy(() -> context().allocate(bytes))
        .isInstanceOfSatisfying(
            DeviceMemoryException.class,
            e -> assertThat(e.freeBytes()).isBetween(1L, context().info().memoryBytes()))
        .hasMessageMatching("out of device memory: [0-9,.]+ MiB asked for, [0-9,.]+ MiB free");
    context().allocate(256).close();
  }

  @Test
  void pinnedMemoryIsZeroedAndFailsAfterClose() {
    PinnedBuffer pinned = context().pinned(100_000);
    byte[] content = new byte[100_000];
    pinned.bytes().get(content);
    assertThat(content).containsOnly(0);
    pinned.close();
    pinned.close();
    assertThatThrownBy(pinned::bytes)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("this pinned memory was released");
    assertThatThrownBy(() -> context().pinned(1L << 31))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
