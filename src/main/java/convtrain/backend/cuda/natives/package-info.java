/**
 * Where NVIDIA's libraries lie on this machine, how they and JCuda's own are loaded in an order
 * that links, and what {@code doctor} tells of them.
 *
 * <p>JCuda's classes load their natives when they are first touched, so {@link
 * convtrain.backend.cuda.natives.NativeLibraries#load} comes before any of them.
 */
package convtrain.backend.cuda.natives;
