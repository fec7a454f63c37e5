package convtrain.graph;

/** A layer that cannot stand where it does; the message says what would fit. */
public final class GraphException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final int layer;
  private final String layerName;

  GraphException(int layer, String layerName, String message, Throwable cause) {
    super(message, cause);
    this.layer = layer;
    this.layerName = layerName;
  }

  /** Position in the run file's {@code layers}, from 0. */
  public int layer() {
    return layer;
  }

  /** The layer's name, given or by default. */
  public String layerName() {
    return layerName;
  }
}
