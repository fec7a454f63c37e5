package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;

/**
 * What one direction of a convolution works on; null where a direction does not need it.
 *
 * @param x input
 * @param y output
 * @param dx gradient of the input
 * @param dy gradient of the output
 * @param weight fp32
 * @param factors the weights in the activations' precision; {@code weight} itself if that is fp32
 * @param dWeight fp32
 * @param bias fp32, or null without one
 * @param scratch {@link ConvWay#scratchBytes} or more
 */
record ConvMemory(
    CudaBuffer x,
    CudaBuffer y,
    CudaBuffer dx,
    CudaBuffer dy,
    CudaBuffer weight,
    CudaBuffer factors,
    CudaBuffer dWeight,
    CudaBuffer bias,
    CudaBuffer scratch) {}
