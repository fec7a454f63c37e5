package convtrain.backend;

import java.nio.ByteBuffer;

/**
 * Images with one label each, by index. A backend may read them from a thread of its own, and may
 * keep copies on the device: equal samples ({@code equals}) hold the same images.
 */
public interface Samples {
  int count();

  /** Copies the bytes [C, H, W] of an image to the buffer's position, which advances. */
  void copyImage(int index, ByteBuffer into);

  /** The class of a sample. */
  int label(int index);
}
