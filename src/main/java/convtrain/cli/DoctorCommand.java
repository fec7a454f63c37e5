package convtrain.cli;

import convtrain.backend.cuda.natives.CudaReport;
import convtrain.backend.cuda.natives.CudaReport.Check;
import convtrain.backend.cuda.natives.CudaReport.Library;
import convtrain.backend.cuda.natives.CudaReport.Outcome;
import convtrain.backend.cuda.natives.Doctor;
import convtrain.backend.cuda.natives.Gpu;
import convtrain.report.Json;
import convtrain.report.TextTable;
import java.io.PrintWriter;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Tells whether training on a GPU would work here, and what is missing. */
@Command(
    name = "doctor",
    description =
        "Tells whether training on a GPU would work here: driver, GPUs, each native library with"
            + " where it was found, what is missing and what helps.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:training on the GPU works", "1:it does not"},
    footer = {"", "Examples:", "  convtrain doctor", "  convtrain doctor --json"})
final class DoctorCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    CudaReport report = Doctor.examine();
    PrintWriter out = spec.commandLine().getOut();
    out.print(json ? Json.pretty(report) : text(report));
    out.flush();
    return report.usable() ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  private static String text(CudaReport report) {
    return Stream.of(
            driver(report), libraries(report), checks(report), problems(report), verdict(report))
        .filter(section -> !section.isEmpty())
        .collect(Collectors.joining("\n"));
  }

  private static String driver(CudaReport report) {
    StringBuilder text = new StringBuilder("driver: ");
    if (report.driver() == null) {
      text.append("none");
    } else {
      text.append(
          Stream.of(report.driver().kernelModule(), serves(report.driver().cuda()))
              .filter(Objects::nonNull)
              .collect(Collectors.joining(", ")));
    }
    text.append('\n');
    for (Gpu gpu : report.gpus()) {
      text.append("GPU:    ").append(gpu).append('\n');
    }
    return text.toString();
  }

  private static String serves(String cuda) {
    return cuda == null ? null : "serves CUDA up to " + cuda;
  }

  private static String libraries(CudaReport report) {
    TextTable table = new TextTable().left("library").left("").left("version").left("found");
    for (Library library : report.libraries()) {
      String place = library.file() == null ? "-" : library.file() + " (" + library.foundBy() + ")";
      table.row(
          library.name(),
          library.outcome(),
          Objects.requireNonNullElse(library.version(), "-"),
          place);
    }
    return table.render();
  }

  /** Details of failures are among the problems. */
  private static String checks(CudaReport report) {
    TextTable table = new TextTable().left("check").left("").left("result");
    for (Check check : report.checks()) {
      boolean tells = check.outcome() == Outcome.ok || check.outcome() == Outcome.missing;
      table.row(check.name(), check.outcome(), tells ? check.detail() : "");
    }
    return table.render();
  }

  private static String problems(CudaReport report) {
    return report.problems().stream()
        .map(problem -> "- " + problem + "\n")
        .collect(Collectors.joining());
  }

  private static String verdict(CudaReport report) {
    return report.usable()
        ? "Training on the GPU works.\n"
        : "Training on the GPU does not work here; training on the CPU does.\n";
  }
}
