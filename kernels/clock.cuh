// A run's progress in device memory: the layout of convtrain.backend.StepClock.
#pragma once

struct Clock {
  /** Batches seen: what random numbers are drawn by. */
  long long batches;
  /** Updates done: what schedules and optimizers go by. */
  long long updates;
  /** Batches whose gradients are in the sum that waits for an update; 0: none are accumulated. */
  long long pending;
};
