/**
 * The CUDA backend's ops, one class each. What cuDNN and cuBLAS compute best is theirs; the rest
 * are our kernels, {@code kernels/*.cu}.
 */
package convtrain.backend.cuda.op;
