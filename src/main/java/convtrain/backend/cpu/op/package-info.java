/** One class per op: how oneDNN, or one pass of ours, computes it and its gradients on the CPU. */
package convtrain.backend.cpu.op;
