/**
 * CUDA as the ops see it: one device's context with its streams and library handles, memory,
 * kernels compiled at first use, launches whose arguments are put together once, captured graphs,
 * feeds of training samples, and the tuner that measures which of several ways is fastest.
 *
 * <p>All calls come from the thread that made the {@link
 * convtrain.backend.cuda.device.CudaContext}.
 */
package convtrain.backend.cuda.device;
