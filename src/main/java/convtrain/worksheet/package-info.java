/**
 * Back-propagation by hand: a network of two sigmoid layers with every formula written out, in
 * double precision, apart from the engine that it explains.
 *
 * <p>{@link convtrain.worksheet.WorksheetSpec} is the file, {@link convtrain.worksheet.Worksheet}
 * computes the iterations, {@link convtrain.worksheet.Derivation} explains the first; the rest
 * shows them as text, CSV, a spreadsheet of live formulas and an HTML page.
 */
package convtrain.worksheet;
