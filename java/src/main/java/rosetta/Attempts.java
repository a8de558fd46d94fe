// Step: attempts. SPEC E4, E5, O2, O3, P1: a request is up to five attempts, each with a permit.
// Holds the permits, which bound the requests in flight.
package rosetta;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;
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
  private final Journal.Phase phase;

  /**
   * @param onFailure gets each S3_ERROR, on the thread of the request
   * @param phase that the journal counts the requests as, or null
   */
  Attempts(
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
  public Stored get(String bucket, String key, int limitBytes) {
    return request("get", key, () -> client.get(bucket, key, limitBytes));
  }

  @Override
  public String put(
      String bucket, String key, Content content, String contentType, Condition condition) {
    return request("put", key, () -> client.put(bucket, key, content, contentType, condition));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    request("copy", toKey, () -> client.copy(bucket, fromKey, toKey));
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    request("delete", key, () -> client.delete(bucket, key, condition));
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

  /** The outcome of the first attempt that succeeds; throws S3_ERROR if none does. */
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
          throw cancelled();
        }
        if (n == MOST || isFinal(e)) {
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
  private static boolean isFinal(FailedAttempt e) {
    return switch (e.status()) {
      case 408, 409, 429 -> false;
      case 400 -> !e.code().equals("RequestTimeout");
      default -> e.status() >= 300 && e.status() < 500;
    };
  }

  private void acquirePermit() {
    try {
      permits.acquire();
    } catch (InterruptedException e) {
      throw cancelled();
    }
  }

  private static void pause(Duration most) {
    double share = ThreadLocalRandom.current().nextDouble(0.5, 1);
    try {
      Thread.sleep(Duration.ofNanos((long) (most.toNanos() * share)));
    } catch (InterruptedException e) {
      throw cancelled();
    }
  }

  /** The run has ended, so the request ends, too. */
  private static CancellationException cancelled() {
    Thread.currentThread().interrupt();
    return new CancellationException("the run has ended");
  }
}
