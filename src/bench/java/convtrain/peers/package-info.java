/**
 * The comparison with other engines, {@code scripts/bench-peers}: peers that train one run file's
 * network on the same samples, each in a process of its own, and print their times as one line of
 * JSON; what joins those lines to tables and charts. The engines that need libraries of their own
 * stand in {@code src/bench/pytorch}, {@code djl} and {@code dl4j} and are built by a Maven profile
 * each. Beside it, {@code Implementations} and {@code StagingCost} measure parts of our own.
 */
package convtrain.peers;
