// Step: claim. SPEC W11 to W13: one run of a day at a time.
// Holds the claim's text, and its ETag while the run has the day.
package rosetta;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.ResolverStyle;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executors;
import rosetta.Errors.RunFailure;
import rosetta.Errors.SourceCode;
import rosetta.concurrency.Pace;
import rosetta.concurrency.Work;
import rosetta.json.Json;

/** The claim of one run. */
final class Claim {
  /** The body of {@code _claim.json} (W11). */
  private record Body(String run, String expires) {}

  private static final Duration CLOCKS_DIFFER = Duration.ofSeconds(60);
  private static final int ROUNDS = 5;
  private static final int MAX_BYTES = 64 << 10; // W12
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withResolverStyle(ResolverStyle.STRICT);

  private final String bucket;
  private final String key;
  private final byte[] body;
  private final Instant end;

  /** Null unless this run holds the claim. The run's thread sets it, another one releases. */
  private volatile String etag;

  /**
   * @param end the end of the invocation's time
   */
  Claim(Config config, Trigger.Day day, String requestId, Instant end) {
    this.end = end;
    bucket = config.dstBucket();
    key = day.outputPrefix(config.dstPrefix()) + "_claim.json";
    String expires = TIME.format(end.plus(CLOCKS_DIFFER).atOffset(ZoneOffset.UTC));
    body = Json.write(new Body(requestId, expires)).getBytes(StandardCharsets.UTF_8);
  }

  /** Throws BUSY if another run has the day. */
  void take(Store store) {
    for (int round = 1; round <= ROUNDS && etag == null; round++) {
      etag = put(store, Store.Condition.ABSENT).or(() -> takeOver(store)).orElse(null);
    }
    if (etag == null) {
      throw busy();
    }
  }

  /** The run's last request; if it fails, the claim expires by itself (W13). */
  void release(Store client, Journal journal) throws InterruptedException {
    if (etag == null) {
      return; // this run doesn't know that it holds the claim
    }
    Duration left = Duration.between(Instant.now(), end);
    Work work = new Work(new Pace(1), left.dividedBy(2), CancellationException::new);
    Store store = new Attempts(client, work, journal, null);
    Store.Condition unchanged = Store.Condition.unchanged(etag);
    try {
      work.inTime(Executors.callable(() -> store.delete(bucket, key, unchanged)));
    } catch (RuntimeException e) {
      // the log tells the attempts; the run's outcome stays
    } finally {
      work.stop();
    }
  }

  /** The ETag of this run's claim, or empty if the claim that was there is gone or has changed. */
  private Optional<String> takeOver(Store store) {
    Store.Stored found = store.getTagged(bucket, key, MAX_BYTES);
    if (found.fault() == SourceCode.MISSING) {
      return Optional.empty();
    }
    if (found.fault() == SourceCode.ARCHIVED) {
      throw Errors.ofRequest("get", key, "InvalidObjectState", null);
    }
    if (Arrays.equals(found.body(), body)) { // it was put, but the answer was lost
      return Optional.of(found.etag());
    }
    if (found.body() != null && isInForce(found.body())) {
      throw busy();
    }
    return put(store, Store.Condition.unchanged(found.etag()));
  }

  private Optional<String> put(Store store, Store.Condition condition) {
    return store.put(bucket, key, new Store.Bytes(body), "application/json", condition);
  }

  private RunFailure busy() {
    return new RunFailure(Errors.Code.BUSY, Errors.escape(key));
  }

  /** False if it has expired, or isn't a claim by its form. */
  private static boolean isInForce(byte[] claim) {
    try {
      return Json.parse(claim) instanceof Map<?, ?> members
          && members.get("run") instanceof String
          && members.get("expires") instanceof String expires
          && LocalDateTime.parse(expires, TIME).toInstant(ZoneOffset.UTC).isAfter(Instant.now());
    } catch (IOException | DateTimeException e) {
      return false;
    }
  }
}
