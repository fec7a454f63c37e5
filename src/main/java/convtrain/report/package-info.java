/**
 * What a user sees and keeps of a run: the console's lines, the run folder's files, the tables of
 * {@code summary} and {@code evaluate}.
 *
 * <p>{@link convtrain.report.ConsoleProgress} and {@link convtrain.report.MetricsLog} listen to the
 * trainer; {@link convtrain.report.RunFolder} names and writes the files; the rest turns values
 * into text or JSON. Nothing here influences training.
 */
package convtrain.report;
