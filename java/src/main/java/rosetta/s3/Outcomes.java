// The meaning of S3's answers, for both clients. SPEC L8, R1, R9, W12, W13.
// Holds no state.
package rosetta.s3;

import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import rosetta.Errors.SourceCode;
import rosetta.Store.Condition;
import rosetta.Store.Entry;
import rosetta.Store.Page;
import rosetta.Store.Stored;

final class Outcomes {
  private static final long MAX_SIZE = 1L << 53;

  private Outcomes() {}

  /** The page, unless it can't answer a listing of the prefix (L8). */
  static Page checked(Page page, String prefix) {
    if ("".equals(page.next())) {
      throw unlike("truncated without a token");
    }
    if (page.objects().stream().anyMatch(o -> o.size() < 0 || o.size() > MAX_SIZE)) {
      throw unlike("an impossible size");
    }
    if (!Stream.concat(page.objects().stream().map(Entry::key), page.prefixes().stream())
        .allMatch(key -> key.startsWith(prefix))) {
      throw unlike("a key outside the prefix");
    }
    return page;
  }

  /** An answer of status 200 that has not the form of the result. */
  static FailedAttempt unlike(String wording) {
    return new FailedAttempt(200, "", "no result: " + wording);
  }

  /** What a get gives; MISSING and ARCHIVED are results, too (R1, R9). */
  static Stored got(Supplier<Stored> get) {
    try {
      return get.get();
    } catch (FailedAttempt e) {
      if (e.status() == 404 && e.code().equals("NoSuchKey")) {
        return new Stored(SourceCode.MISSING, null, null);
      }
      if (e.status() == 403 && e.code().equals("InvalidObjectState")) {
        return new Stored(SourceCode.ARCHIVED, null, null);
      }
      throw e;
    }
  }

  /** What a get gives whose body was read, or is null if it is longer than the limit. */
  static Stored stored(byte[] body, String etag) {
    return new Stored(body == null ? SourceCode.TOO_LARGE : null, body, etag);
  }

  /**
   * The ETag that a write gives, or empty if S3 refuses its condition (W12, W13).
   *
   * @param write the write; null without an ETag
   */
  static Optional<String> written(Condition condition, Supplier<String> write) {
    boolean onCondition = !condition.equals(Condition.NONE);
    try {
      String etag = write.get();
      if (etag == null && onCondition) {
        throw unlike("no ETag");
      }
      return Optional.of(Objects.requireNonNullElse(etag, ""));
    } catch (FailedAttempt e) {
      boolean isGone = e.status() == 404 && e.code().equals("NoSuchKey");
      if (onCondition && (e.status() == 412 || isGone)) {
        return Optional.empty();
      }
      throw e;
    }
  }
}
