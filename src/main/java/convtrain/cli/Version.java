package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.report.Provenance;
import picocli.CommandLine.IVersionProvider;

/** What {@code --version} says; the device library is asked, so it is known to load. */
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    try (Backend backend = Backends.cpu()) {
      return new String[] {
        "convtrain " + Provenance.version(),
        backend.description(),
        "Java %s (%s)"
            .formatted(System.getProperty("java.version"), System.getProperty("java.vm.name"))
      };
    }
  }
}
