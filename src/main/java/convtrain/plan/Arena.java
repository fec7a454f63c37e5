package convtrain.plan;

import convtrain.backend.DeviceBuffer;
import convtrain.plan.ArenaPlanner.Storage;

/**
 * The memory of a plan and what lies where in it.
 *
 * @param buffer of {@link Placement#arenaBytes}
 */
record Arena(DeviceBuffer buffer, Placement placement) {
  DeviceBuffer at(Storage storage) {
    return buffer.slice(storage.offset(), storage.bytes());
  }

  /** A tensor's storage without what rounds it up. */
  DeviceBuffer tensor(Storage storage, int tensor) {
    return buffer.slice(storage.offset(), placement.bytesOf(tensor));
  }

  /** The same, or null where there is no storage. */
  DeviceBuffer tensorOrNull(Storage storage, int tensor) {
    return storage == null ? null : tensor(storage, tensor);
  }

  /** A tensor's values. */
  DeviceBuffer value(int tensor) {
    return tensor(placement.value(tensor), tensor);
  }

  /** A tensor's whole gradient, or null if it has none. */
  DeviceBuffer gradient(int tensor) {
    return tensorOrNull(placement.gradient(tensor), tensor);
  }

  /** Mixed targets: floats, [N, classes]. */
  DeviceBuffer targets() {
    return buffer.slice(placement.targets().offset(), placement.targetBytes());
  }
}
