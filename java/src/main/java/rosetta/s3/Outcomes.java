// What S3's answers mean, for both clients. SPEC L8, R1, R9, W12, W13.
// Holds no state.
package rosetta.s3;

import java.util.function.Supplier;
import java.util.stream.Stream;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;
import rosetta.Store.Condition;
import rosetta.Store.Entry;
import rosetta.Store.FailedAttempt;
import rosetta.Store.Page;

final class Outcomes {
  private static final long MOST_BYTES = 1L << 53;

  private Outcomes() {}

  /** The page, unless its answer can't be that to a listing of the prefix (L8). */
  static Page checked(Page page, String prefix) {
    if ("".equals(page.next())) {
      throw unlike("truncated without a token");
    }
    if (page.objects().stream().anyMatch(o -> o.size() < 0 || o.size() > MOST_BYTES)) {
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

  /** What a get gives; throws MISSING (R1) or ARCHIVED (R9). */
  static <T> T source(Supplier<T> get) {
    try {
      return get.get();
    } catch (FailedAttempt e) {
      switch (e.code()) {
        case "NoSuchKey" -> throw new BadSource(SourceCode.MISSING, e);
        case "InvalidObjectState" -> throw new BadSource(SourceCode.ARCHIVED, e);
        default -> throw e;
      }
    }
  }

  /** What a write gives, or null if S3 refuses its condition (W12, W13). */
  static <T> T unlessRefused(Condition condition, Supplier<T> write) {
    try {
      return write.get();
    } catch (FailedAttempt e) {
      boolean isUnmet = e.status() == 412 || e.code().equals("NoSuchKey");
      if (condition.equals(Condition.NONE) || !isUnmet) {
        throw e;
      }
      return null;
    }
  }
}
