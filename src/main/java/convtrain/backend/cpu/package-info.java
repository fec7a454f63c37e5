/**
 * The CPU backend: oneDNN's training primitives on channels-last memory, and passes of our own for
 * staging, dropout, the loss and the update.
 */
package convtrain.backend.cpu;
