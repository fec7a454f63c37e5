package convtrain.report;

import java.io.Console;

/** Whether standard output is a terminal, and how wide. The launcher tells; Java cannot surely. */
final class Terminal {
  private static final int DEFAULT_COLUMNS = 80;

  private Terminal() {}

  /** What the launcher found ({@code convtrain.tty}); without it, what Java can tell. */
  static boolean isStandardOutput() {
    String told = System.getProperty("convtrain.tty");
    return told != null ? Boolean.parseBoolean(told) : isTerminal(System.console());
  }

  /** Columns by the launcher ({@code convtrain.columns}), or 80. */
  static int columns() {
    int told = Integer.getInteger("convtrain.columns", DEFAULT_COLUMNS);
    return told > 0 ? told : DEFAULT_COLUMNS;
  }

  /** From Java 22 there is a console even without a terminal; it then says which. */
  private static boolean isTerminal(Console console) {
    if (console == null) {
      return false;
    }
    try {
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (NoSuchMethodException e) {
      return true;
    } catch (ReflectiveOperationException e) {
      return false;
    }
  }
}
