package convtrain.backend;

import convtrain.graph.AugmentSpec;

/**
 * How the images of a pass are varied, see {@link convtrain.graph.AugmentDraw}.
 *
 * @param seed the run's seed
 */
public record Augmentation(AugmentSpec spec, long seed) {}
