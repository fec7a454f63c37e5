package convtrain.backend.cpu.dnnl;

import convtrain.backend.DeviceBuffer;
import convtrain.graph.Precision;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** The elements of an activation or its gradient as floats, whatever they are stored as. */
public abstract sealed class TensorView {
  /** Of a buffer of this backend, all of it. */
  public static TensorView of(Precision precision, DeviceBuffer buffer) {
    CpuBuffer memory = (CpuBuffer) buffer;
    return switch (precision) {
      case FP32 -> new Floats(memory.asFloats());
      case BF16 -> new BrainFloats(memory.asBytes().asShortBuffer());
      default -> throw new IllegalArgumentException("no elements of " + precision.word());
    };
  }

  /** How many there are. */
  public abstract int count();

  /** The element at an index. */
  public abstract float get(int index);

  /** Sets an element to zero. */
  public abstract void zero(int index);

  /** Reads elements from a start on, until the array is full. */
  public abstract void get(int start, float[] into);

  /** Sets elements from a start on, each to the nearest value that is stored. */
  public abstract void put(int start, float[] values);

  private static final class Floats extends TensorView {
    private final FloatBuffer floats;

    Floats(FloatBuffer floats) {
      this.floats = floats;
    }

    @Override
    public int count() {
      return floats.capacity();
    }

    @Override
    public float get(int index) {
      return floats.get(index);
    }

    @Override
    public void zero(int index) {
      floats.put(index, 0f);
    }

    @Override
    public void get(int start, float[] into) {
      floats.get(start, into);
    }

    @Override
    public void put(int start, float[] values) {
      floats.put(start, values);
    }
  }

  /** Each the upper 16 bits of a float. */
  private static final class BrainFloats extends TensorView {
    private final ShortBuffer bits;

    BrainFloats(ShortBuffer bits) {
      this.bits = bits;
    }

    @Override
    public int count() {
      return bits.capacity();
    }

    @Override
    public float get(int index) {
      return Precision.fromBf16(bits.get(index));
    }

    @Override
    public void zero(int index) {
      bits.put(index, (short) 0);
    }

    @Override
    public void get(int start, float[] into) {
      for (int i = 0; i < into.length; i++) {
        into[i] = get(start + i);
      }
    }

    @Override
    public void put(int start, float[] values) {
      for (int i = 0; i < values.length; i++) {
        bits.put(start + i, Precision.toBf16(values[i]));
      }
    }
  }
}
