package convtrain.report;

import java.nio.file.Path;

/** Another process trains in a run folder. */
public final class RunBusyException extends RunFolderException {
  private static final long serialVersionUID = 1L;

  public RunBusyException(Path folder) {
    super(folder + ": another process trains in this folder; wait for it, or end it");
  }
}
