/**
 * Samples: from files on disk to batches in host memory.
 *
 * <p>Data flow: {@link convtrain.data.DatasetFiles} finds the four files of a data set, {@link
 * convtrain.data.IdxFile} reads and checks them, {@link convtrain.data.Dataset} holds images as
 * bytes with their labels, {@link convtrain.data.Split} sets validation samples apart, and {@link
 * convtrain.data.Sampler} gives the order of each epoch. {@link convtrain.data.ImageFile} brings
 * single pictures to the network's shape. Everything wrong with a file is a {@link
 * convtrain.data.DataException}. It imports only {@code convtrain.graph}.
 */
package convtrain.data;
