package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Where a device with memory of its own keeps a data set's bytes; training is the same in each. */
public enum DataPlacement {
  /** On the device if they take little of its memory, else streamed. */
  @JsonProperty("auto")
  AUTO,
  /** In host memory; each batch is copied while the one before is computed. */
  @JsonProperty("stream")
  STREAM,
  /** Copied to the device once; batches are gathered there. */
  @JsonProperty("resident")
  RESIDENT
}
