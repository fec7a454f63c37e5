/**
 * The software CUDA device as tests see it: {@link convtrain.softcuda.SoftCuda} says whether it is
 * there, decides how it behaves, and reads what it found.
 */
package convtrain.softcuda;
