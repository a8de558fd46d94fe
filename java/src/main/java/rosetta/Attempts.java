// Step: attempts. SPEC E4, E5, E8, P1: a request is several attempts, each with a permit.
// Holds no state: the run's Work has the permits.
package rosetta;

import java.security.SecureRandom;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import rosetta.concurrency.Work;
import rosetta.s3.FailedAttempt;

/**
 * Wraps a client, whose methods make one attempt each.
 *
 * @param work the run's work, which ends when a request fails for good
 * @param phase the phase that the journal counts the requests as, or null
 */
record Attempts(Store client, Work work, Journal journal, Journal.Phase phase) implements Store {
  private static final int MAX_ATTEMPTS = 5;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
  private static final Duration FIRST_SLOW_PAUSE = Duration.ofSeconds(1);
  private static final int MAX_SLOW_DOUBLINGS = 2;
  // of the system: sandboxes restored from one snapshot would share another generator's state
  private static final SecureRandom RANDOM = new SecureRandom();

  /** A line of the log (O2). */
  private record Retry(String operation, String key, int attempt, String cause) {}

  @Override
  public Attempts countedAs(Journal.Phase counted) {
    return new Attempts(client, work, journal, counted);
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
  public Stored getTagged(String bucket, String key, int limitBytes) {
    return request("get", key, () -> client.getTagged(bucket, key, limitBytes));
  }

  @Override
  public Optional<String> put(String bucket, String key, Content body, String type, Condition on) {
    return request("put", key, () -> client.put(bucket, key, body, type, on));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    request("copy", toKey, () -> done(() -> client.copy(bucket, fromKey, toKey)));
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    request("delete", key, () -> done(() -> client.delete(bucket, key, condition)));
  }

  private static Void done(Runnable attempt) {
    attempt.run();
    return null;
  }

  /** The outcome of the first attempt that succeeds; throws S3_ERROR if none does. */
  <T> T request(String operation, String key, Supplier<T> attempt) {
    Runnable fail = () -> work.fail(Errors.ofRequest(operation, key, "", null));
    work.await(fail); // which the last second calls (E5)
    try {
      work.pace().acquire(); // the phase's clock starts after this wait (O3)
      return phase == null
          ? repeat(operation, key, attempt)
          : journal.timed(phase, () -> repeat(operation, key, attempt));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("the run has ended");
    } catch (Errors.RunFailure | Error e) {
      work.fail(e);
      throw e;
    } finally {
      work.answered(fail);
    }
  }

  /** Starts with a permit, releases it after each attempt, acquires one for the next. */
  private <T> T repeat(String operation, String key, Supplier<T> attempt)
      throws InterruptedException {
    int slowDowns = 0;
    for (int n = 1; ; n++) {
      try {
        return once(attempt);
      } catch (FailedAttempt e) {
        Work.check();
        boolean slow = e.code().equals("SlowDown");
        slowDowns += slow ? 1 : 0;
        int counted = n - slowDowns; // of the five
        Duration pause =
            slow
                ? pause(FIRST_SLOW_PAUSE, Math.min(slowDowns - 1, MAX_SLOW_DOUBLINGS))
                : pause(FIRST_PAUSE, counted - 1);
        if (counted == MAX_ATTEMPTS || isFinal(e) || !work.mayPause(pause)) {
          throw Errors.ofRequest(operation, key, e.code(), e);
        }
        journal.log(Journal.Level.WARN, "retry", new Retry(operation, key, n, e.getMessage()));
        work.pace().sleep(pause);
        work.pace().acquire();
      }
    }
  }

  private <T> T once(Supplier<T> attempt) {
    try {
      T result = attempt.get();
      work.pace().grow();
      return result;
    } catch (FailedAttempt e) {
      if (e.code().equals("SlowDown")) {
        work.pace().halve();
      }
      throw e;
    } finally {
      work.pace().release();
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

  private static Duration pause(Duration first, int doublings) {
    double share = RANDOM.nextDouble(0.5, 1);
    return Duration.ofNanos((long) ((first.toNanos() << doublings) * share));
  }
}
