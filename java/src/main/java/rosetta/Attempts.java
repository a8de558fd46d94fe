// Step: attempts. SPEC E4, E5, O2, O3, P1: a request is up to five attempts, each with a permit.
// Holds nothing but the permits, which all invocations of the sandbox share.
package rosetta;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Repeats what may pass of a store that makes single attempts. */
final class Attempts implements Store {
  private static final int MOST = 5;
  private static final Duration FIRST_DELAY = Duration.ofMillis(100);

  private final Store client;
  private final Semaphore permits;
  private final Journal journal;
  private final Consumer<AggregationException> onFailure;
  private final Journal.Phase phase;

  Attempts(
      Store client, Semaphore permits, Journal journal, Consumer<AggregationException> onFailure) {
    this(client, permits, journal, onFailure, null);
  }

  private Attempts(
      Store client,
      Semaphore permits,
      Journal journal,
      Consumer<AggregationException> onFailure,
      Journal.Phase phase) {
    this.client = client;
    this.permits = permits;
    this.journal = journal;
    this.onFailure = onFailure;
    this.phase = phase;
  }

  @Override
  public Attempts countedAs(Journal.Phase counted) {
    return new Attempts(client, permits, journal, onFailure, counted);
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    return request("list", prefix, () -> client.listPage(bucket, prefix, delimiter, token));
  }

  @Override
  public byte[] get(String bucket, String key, int limitBytes) {
    return request("get", key, () -> client.get(bucket, key, limitBytes));
  }

  @Override
  public void put(String bucket, String key, Content content, String contentType) {
    request("put", key, () -> client.put(bucket, key, content, contentType));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    request("copy", toKey, () -> client.copy(bucket, fromKey, toKey));
  }

  @Override
  public void delete(String bucket, String key) {
    request("delete", key, () -> client.delete(bucket, key));
  }

  private void request(String operation, String key, Runnable attempt) {
    request(
        operation,
        key,
        () -> {
          attempt.run();
          return null;
        });
  }

  /**
   * The outcome of the first attempt that doesn't fail. An attempt ends with the last byte of its
   * body, so a body that breaks off is a failed attempt. Throws MISSING for a get of a key that
   * isn't there, else S3_ERROR.
   */
  <T> T request(String operation, String key, Supplier<T> attempt) {
    awaitTurn(); // before the clock of the phase starts
    return phase == null
        ? repeat(operation, key, attempt)
        : journal.timed(phase, () -> repeat(operation, key, attempt));
  }

  /** Comes with a permit, and gives it back after each attempt. */
  private <T> T repeat(String operation, String key, Supplier<T> attempt) {
    for (int n = 1; ; n++) {
      try {
        try {
          return attempt.get();
        } finally {
          permits.release();
        }
      } catch (FailedAttempt e) {
        if (Thread.currentThread().isInterrupted()) {
          throw givenUp(e); // no attempt follows
        }
        if (operation.equals("get") && e.code().equals("NoSuchKey")) {
          throw Errors.ofSource(Errors.Code.MISSING, e);
        }
        if (n == MOST || e.isFinal()) {
          AggregationException failure = Errors.ofRequest(operation, key, e);
          onFailure.accept(failure);
          throw failure;
        }
        logRetry(operation, key, n, e);
        pause(FIRST_DELAY.multipliedBy(1L << (n - 1)));
        awaitTurn();
      }
    }
  }

  private void awaitTurn() {
    try {
      permits.acquire();
    } catch (InterruptedException e) {
      throw givenUp(e);
    }
  }

  private void logRetry(String operation, String key, int attempt, FailedAttempt e) {
    journal.log(
        Journal.Level.WARN,
        "retry",
        Json.object(
            "operation", operation, "key", key, "attempt", attempt, "cause", e.getMessage()));
  }

  private static void pause(Duration most) {
    double share = ThreadLocalRandom.current().nextDouble(0.5, 1);
    try {
      Thread.sleep(Duration.ofNanos((long) (most.toNanos() * share)));
    } catch (InterruptedException e) {
      throw givenUp(e);
    }
  }

  /** The run is over, and with it this request. */
  private static CancellationException givenUp(Exception e) {
    Thread.currentThread().interrupt();
    CancellationException givenUp = new CancellationException("given up");
    givenUp.initCause(e);
    return givenUp;
  }
}
