// Step: store. SPEC S12, R1, R2, R9, W12, E5: the five requests to S3, and the types of their
// answers. Two clients in the package s3 implement it. Holds no state.
package rosetta;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import rosetta.Errors.SourceCode;
import rosetta.s3.FailedAttempt;

/**
 * Each method of a client makes one attempt and throws {@link FailedAttempt}; {@link Attempts}
 * wraps a client and repeats. All methods may be called concurrently.
 */
public interface Store extends AutoCloseable {
  /** S3's order. {@link String#compareTo} has UTF-16's, which differs beyond U+FFFF. */
  Comparator<String> BYTE_ORDER =
      Comparator.comparing(key -> key.getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

  /** An object in a listing; its size in bytes. */
  record Entry(String key, long size) {}

  /**
   * One page of a listing, in the byte order of the keys.
   *
   * @param prefixes common prefixes, if the request named a delimiter
   * @param next token of the next page, or null after the last
   */
  record Page(List<Entry> objects, List<String> prefixes, String next) {}

  /**
   * What a get gives.
   *
   * @param fault MISSING, ARCHIVED or TOO_LARGE (longer than the limit), or null
   * @param body the body as S3 stores it, or null if there is a fault
   * @param etag the tag that changes with the body, or null if the answer has none
   */
  record Stored(SourceCode fault, byte[] body, String etag) {}

  /** What must hold for a write; each part may be null. S3 refuses the write otherwise. */
  record Condition(String ifNoneMatch, String ifMatch) {
    public static final Condition NONE = new Condition(null, null);
    public static final Condition ABSENT = new Condition("*", null);

    public static Condition unchanged(String etag) {
      return new Condition(null, etag);
    }
  }

  /** The body of a put; each attempt reads it from its first byte. */
  interface Content {
    int length();

    InputStream open();
  }

  /** A small body. */
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

  /**
   * One page of the keys that begin with the prefix.
   *
   * @param delimiter or null
   * @param token of the page before, or null for the first
   */
  Page listPage(String bucket, String prefix, String delimiter, String token);

  /** All pages, one after the other. */
  default Stream<Page> pages(String bucket, String prefix, String delimiter) {
    return Stream.iterate(
        listPage(bucket, prefix, delimiter, null),
        Objects::nonNull,
        page -> page.next() == null ? null : listPage(bucket, prefix, delimiter, page.next()));
  }

  Stored get(String bucket, String key, int limitBytes);

  /** The same, but an answer without an ETag is a failed attempt (W12). */
  default Stored getTagged(String bucket, String key, int limitBytes) {
    Stored stored = get(bucket, key, limitBytes);
    boolean isThere = stored.fault() == null || stored.fault() == SourceCode.TOO_LARGE;
    if (isThere && stored.etag() == null) {
      throw new FailedAttempt(200, "", "no ETag");
    }
    return stored;
  }

  /**
   * The new object's ETag, or empty if S3 refuses the condition. On a condition, an answer without
   * an ETag is a failed attempt (W12).
   */
  Optional<String> put(
      String bucket, String key, Content content, String contentType, Condition condition);

  default void put(String bucket, String key, Content content, String contentType) {
    put(bucket, key, content, contentType, Condition.NONE);
  }

  void copy(String bucket, String fromKey, String toKey);

  /** Does nothing where S3 refuses the condition. */
  void delete(String bucket, String key, Condition condition);

  default void delete(String bucket, String key) {
    delete(bucket, key, Condition.NONE);
  }

  /** The same store; the journal counts its requests as this phase (O3). */
  default Store countedAs(Journal.Phase phase) {
    return this;
  }

  /** Closes the connections. */
  @Override
  default void close() {}
}
