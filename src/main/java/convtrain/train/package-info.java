/**
 * What training gives: a record per epoch, an evaluation, the model's file, and the listener that
 * is told as it goes.
 *
 * <p>The values here are plain: a {@link convtrain.train.TrainListener} receives them as they
 * arise, the report package prints them, and {@link convtrain.train.SafeTensors} holds the weights
 * in the form other tools read.
 */
package convtrain.train;
