/** The backend for NVIDIA GPUs, over JCuda: what ServiceLoader finds. */
package convtrain.backend.cuda;
