/**
 * oneDNN as the ops see it: an engine with its stream, memory, descriptors, and primitives whose
 * arguments are put together once.
 */
package convtrain.backend.cpu.dnnl;
