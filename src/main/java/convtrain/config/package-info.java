/**
 * The run file: its records, strict loading, overrides and errors with file, line and JSON path.
 *
 * <p>{@link convtrain.config.RunConfigLoader} turns a JSON file and {@code --set} overrides into a
 * {@link convtrain.config.RunConfig}, complete and checked: every default filled in, every layer
 * known to fit the next. It stands between the user's text and {@link convtrain.graph}, and imports
 * no other package of ours.
 */
package convtrain.config;
