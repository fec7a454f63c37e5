/**
 * The speed comparison: peers that train the network of one model file on the same data, each in a
 * process of its own, and print their time as one line of JSON.
 */
package convtrain.peers;
