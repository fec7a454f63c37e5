package convtrain.backend.cuda.op;

import java.util.function.Function;

/**
 * One of several ways to compute one direction of a convolution, bias included going forward.
 *
 * @param name by which a measured choice is remembered
 * @param scratchBytes memory it needs beside its tensors
 * @param bind ties it to memory; what comes back enqueues it
 */
record ConvWay(String name, long scratchBytes, Function<ConvMemory, Runnable> bind) {}
