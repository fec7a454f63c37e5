package convtrain.testing;

import convtrain.backend.DeviceBuffer;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Floats to and from a device, and activations between PyTorch's order and the devices'. */
public final class DeviceFloats {
  private DeviceFloats() {}

  /** All of a buffer's floats. */
  public static float[] read(DeviceBuffer from) {
    ByteBuffer bytes = host(Math.toIntExact(from.bytes()));
    from.read(0, bytes);
    float[] values = new float[bytes.capacity() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  public static void write(float[] values, DeviceBuffer to) {
    ByteBuffer bytes = host(values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    to.write(0, bytes);
  }

  /** All elements of an activation. */
  public static float[] read(Precision precision, DeviceBuffer from) {
    ByteBuffer bytes = host(Math.toIntExact(from.bytes()));
    from.read(0, bytes);
    float[] values = new float[bytes.capacity() / precision.elementBytes()];
    precision.decode(bytes, values, values.length);
    return values;
  }

  /** Sets an activation; the values must be {@link #rounded}. */
  public static void write(Precision precision, float[] values, DeviceBuffer to) {
    ByteBuffer bytes = host(values.length * precision.elementBytes());
    for (float value : values) {
      switch (precision) {
        case FP32, TF32 -> bytes.putFloat(value);
        case FP16 -> bytes.putShort(halfBits(value));
        case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
      }
    }
    to.write(0, bytes.flip());
  }

  /** The nearest values that a precision holds, of two the even one. */
  public static double[] rounded(Precision precision, double[] values) {
    double[] rounded = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      double spacing =
          switch (precision) {
            case FP32, TF32 -> Math.ulp((float) values[i]);
            case FP16 -> Math.scalb(1.0, Math.max(Math.getExponent(values[i]), -14) - 10);
            case BF16 -> Math.scalb(1.0, Math.max(Math.getExponent(values[i]), -126) - 7);
          };
      rounded[i] = Math.rint(values[i] / spacing) * spacing;
    }
    return rounded;
  }

  private static short halfBits(float value) {
    float magnitude = Math.abs(value);
    // Below 2^-14 halves are multiples of 2^-24; above, an fp32's upper bits with another bias.
    int bits =
        magnitude < 0x1p-14f
            ? (int) (magnitude * 0x1p24f)
            : (Float.floatToRawIntBits(magnitude) >>> 13) - (112 << 10);
    return (short) (Float.floatToRawIntBits(value) >>> 16 & 0x8000 | bits);
  }

  /** Ones in every bit: NaN as floats, so that reading what nobody wrote shows. */
  public static void spoil(DeviceBuffer buffer) {
    ByteBuffer bytes = host(Math.toIntExact(buffer.bytes()));
    while (bytes.hasRemaining()) {
      bytes.put((byte) -1);
    }
    buffer.write(0, bytes.flip());
  }

  /** Host memory in native order. */
  public static ByteBuffer host(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /** [N, C, H, W] to the [N, H, W, C] floats of a device. */
  public static float[] toDevice(double[] nchw, Shape sample) {
    float[] nhwc = new float[nchw.length];
    for (int i = 0; i < nchw.length; i++) {
      nhwc[place(i, sample)] = (float) nchw[i];
    }
    return nhwc;
  }

  /** [N, H, W, C] floats of a device to [N, C, H, W]. */
  public static double[] fromDevice(float[] nhwc, Shape sample) {
    double[] nchw = new double[nhwc.length];
    for (int i = 0; i < nchw.length; i++) {
      nchw[i] = nhwc[place(i, sample)];
    }
    return nchw;
  }

  public static float[] floats(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  public static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < doubles.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** Where element {@code i} of [N, C, H, W] stands in [N, H, W, C]. */
  private static int place(int i, Shape sample) {
    int pixels = sample.height() * sample.width();
    int n = i / sample.elements();
    int c = i % sample.elements() / pixels;
    int pixel = i % pixels;
    return (n * pixels + pixel) * sample.channels() + c;
  }
}
