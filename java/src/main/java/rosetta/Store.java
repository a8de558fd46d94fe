// Step: store. SPEC E4, R1, S12: the narrow door to S3. SdkStore and LightStore make single
// attempts,
// Attempts makes requests of them, the tests have a store in memory. Holds nothing.
package rosetta;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/**
 * Five requests. Each throws {@code S3_ERROR} when it has failed for good, or, of a store that
 * makes single attempts, {@link FailedAttempt}; all may be called concurrently.
 */
interface Store {
  /** E5, of each attempt, whichever client makes it. */
  Duration MOST_TO_CONNECT = Duration.ofSeconds(3);

  Duration MOST_SILENCE = Duration.ofSeconds(10);

  /** Who makes the attempts. */
  enum Client {
    SDK,
    LIGHT
  }

  /** An object in a listing; its size in bytes. */
  record Entry(String key, long size) {}

  /**
   * One page of a listing, in the byte order of the keys.
   *
   * @param prefixes common prefixes, when a delimiter was asked for
   * @param next token of the next page, or null after the last
   */
  record Page(List<Entry> objects, List<String> prefixes, String next) {}

  /** What a put sends, from its first byte on in each attempt. */
  interface Content {
    int length();

    InputStream open();

    static Content of(byte[] bytes) {
      return new Bytes(bytes);
    }
  }

  /** A small document. */
  record Bytes(byte[] bytes) implements Content {
    @Override
    public int length() {
      return bytes.length;
    }

    @Override
    public InputStream open() {
      return new ByteArrayInputStream(bytes);
    }
  }

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

  /** Makes the sandbox's client, only the one in use; asks nothing of S3 yet. */
  static Opener opener(Config config, Map<String, String> env) {
    Store client =
        switch (config.client()) {
          case SDK -> new SdkStore(config, env);
          case LIGHT -> new LightStore(config, env);
        };
    Semaphore permits = new Semaphore(config.concurrency());
    return (journal, onFailure) -> new Attempts(client, permits, journal, onFailure);
  }

  /**
   * Threads of the system's for what can be in flight and for the reader: virtual ones take a sixth
   * more CPU here. An interrupt ends a request that hangs ({@link Connections}).
   */
  static ExecutorService threads(Config config) {
    return Executors.newFixedThreadPool(config.concurrency() + 1);
  }

  /** The same store, whose requests count as this phase (O3); others count as none. */
  default Store countedAs(Journal.Phase phase) {
    return this;
  }

  /**
   * One page of the keys that begin with the prefix.
   *
   * @param delimiter or null
   * @param token of a page before, or null for the first
   */
  Page listPage(String bucket, String prefix, String delimiter, String token);

  /** The body as stored. Throws MISSING, or TOO_LARGE when it is longer than the limit. */
  byte[] get(String bucket, String key, int limitBytes);

  void put(String bucket, String key, Content content, String contentType);

  void copy(String bucket, String fromKey, String toKey);

  void delete(String bucket, String key);
}
