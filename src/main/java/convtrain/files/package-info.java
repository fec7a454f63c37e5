/** Files as the whole program writes them. */
package convtrain.files;
