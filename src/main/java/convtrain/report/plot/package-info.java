/**
 * Pictures. {@link convtrain.report.plot.LineChart} is a value: title, axes with their units,
 * series; it writes itself as PNG or SVG. The only user of the charting library. {@link
 * convtrain.report.plot.BarChart} is the same with bars, and {@link
 * convtrain.report.plot.ImageGrid} sets small pictures side by side.
 */
package convtrain.report.plot;
