/**
 * What the engine measures of itself: each op of a step, on the device's own clock, against what
 * the op must compute and move at the least.
 */
package convtrain.bench;
