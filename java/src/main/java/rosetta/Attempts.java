// Step: attempts. SPEC E4, E5, O2, O3, P1, R1: a request is up to five attempts, each with a
// permit.
// Holds the permits, which bound the requests in flight.
package rosetta;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;
import rosetta.Errors.BadSource;
import rosetta.Errors.RunFailure;

/** Wraps a client, whose methods make one attempt each. */
final class Attempts implements Store {
  /** A line of the log (O2). */
  private record Retry(String operation, String key, int attempt, String cause) {}

  private static final int MOST = 5;
  private static final Duration FIRST_DELAY = Duration.ofMillis(100);

  private final Store client;
  private final Semaphore permits;
  private final Journal journal;
  private final Consumer<RunFailure> onFailure;
  private final Journal.Phase phase; // null: the journal doesn't count these requests

  /**
   * @param onFailure gets each S3_ERROR, on the thread of the request
   */
  Attempts(Store client, Semaphore permits, Journal journal, Consumer<RunFailure> onFailure) {
    this(client, permits, journal, onFailure, null);
  }

  private Attempts(
      Store client,
      Semaphore permits,
      Journal journal,
      Consumer<RunFailure> onFailure,
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

  /** The outcome of the first attempt that succeeds. Throws S3_ERROR, or MISSING for a get. */
  <T> T request(String operation, String key, Supplier<T> attempt) {
    acquirePermit(); // the phase's clock starts after this wait (O3)
    return phase == null
        ? repeat(operation, key, attempt)
        : journal.timed(phase, () -> repeat(operation, key, attempt));
  }

  /** Starts with a permit, releases it after each attempt, acquires one for the next. */
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
          throw cancelled(e);
        }
        if (operation.equals("get") && e.code().equals("NoSuchKey")) {
          throw new BadSource(Errors.SourceCode.MISSING, e);
        }
        if (n == MOST || isRefusal(e.status())) {
          RunFailure failure = Errors.ofRequest(operation, key, e);
          onFailure.accept(failure);
          throw failure;
        }
        journal.log(Journal.Level.WARN, "retry", new Retry(operation, key, n, e.getMessage()));
        pause(FIRST_DELAY.multipliedBy(1L << (n - 1)));
        acquirePermit();
      }
    }
  }

  /** True if another attempt can't help. */
  private static boolean isRefusal(int status) {
    return status >= 300 && status < 500 && status != 408 && status != 429;
  }

  private void acquirePermit() {
    wait(permits::acquire);
  }

  private static void pause(Duration most) {
    double share = ThreadLocalRandom.current().nextDouble(0.5, 1);
    wait(() -> Thread.sleep(Duration.ofNanos((long) (most.toNanos() * share))));
  }

  private interface Wait {
    void run() throws InterruptedException;
  }

  private static void wait(Wait wait) {
    try {
      wait.run();
    } catch (InterruptedException e) {
      throw cancelled(e);
    }
  }

  /** The run has ended, so the request ends, too. */
  private static CancellationException cancelled(Exception cause) {
    Thread.currentThread().interrupt();
    CancellationException cancelled = new CancellationException("the run has ended");
    cancelled.initCause(cause);
    return cancelled;
  }
}
