/**
 * The command line: one class per command, each only wiring what the other packages do.
 *
 * <p>Start at {@link convtrain.cli.Main}. Exit codes are decided in {@link convtrain.cli.Failures}.
 */
package convtrain.cli;
