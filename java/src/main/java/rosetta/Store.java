// Step: store. SPEC E4, R1: the narrow door to S3. S3Store is the real one, the tests have one in
// memory. Holds nothing.
package rosetta;

import java.util.List;
import java.util.function.Consumer;

/**
 * Five requests. Each throws {@code S3_ERROR} when it has failed for good; all may be called
 * concurrently.
 */
interface Store {
  /** An object in a listing; its size in bytes. */
  record Entry(String key, long size) {}

  /**
   * One page of a listing, in the byte order of the keys.
   *
   * @param prefixes common prefixes, when a delimiter was asked for
   * @param next token of the next page, or null after the last
   */
  record Page(List<Entry> objects, List<String> prefixes, String next) {}

  /** Opens the store for one invocation; the connections behind it live as long as the sandbox. */
  @FunctionalInterface
  interface Opener {
    /**
     * The store.
     *
     * @param onFailure told of each S3_ERROR, by the thread that meets it
     */
    Store open(Journal journal, Consumer<AggregationException> onFailure);
  }

  /** The same store, whose requests count as this phase (O3); others count as none. */
  Store countedAs(Journal.Phase phase);

  /**
   * One page of the keys that begin with the prefix.
   *
   * @param delimiter or null
   * @param token of a page before, or null for the first
   */
  Page listPage(String bucket, String prefix, String delimiter, String token);

  /** The body as stored. Throws MISSING, or TOO_LARGE when it is longer than the limit. */
  byte[] get(String bucket, String key, int limitBytes);

  /** Puts the first {@code length} bytes. */
  void put(String bucket, String key, byte[] bytes, int length, String contentType);

  void copy(String bucket, String fromKey, String toKey);

  void delete(String bucket, String key);
}
