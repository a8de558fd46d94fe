// Step: attempts. SPEC E4, E5, O2, O3, P1: a request is up to five attempts, each with a permit.
// Holds nothing but the permits, which all invocations of the sandbox share.
package rosetta;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** Repeats what may pass; safe for concurrent use. */
final class Attempts {
  private static final int MOST = 5;
  private static final Duration FIRST_DELAY = Duration.ofMillis(100);

  private final Semaphore permits;
  private final Journal journal;
  private final Consumer<AggregationException> onFailure;
  private final Journal.Phase phase;

  Attempts(Semaphore permits, Journal journal, Consumer<AggregationException> onFailure) {
    this(permits, journal, onFailure, null);
  }

  private Attempts(
      Semaphore permits,
      Journal journal,
      Consumer<AggregationException> onFailure,
      Journal.Phase phase) {
    this.permits = permits;
    this.journal = journal;
    this.onFailure = onFailure;
    this.phase = phase;
  }

  /** The same attempts, for requests that count as this phase. */
  Attempts countedAs(Journal.Phase counted) {
    return new Attempts(permits, journal, onFailure, counted);
  }

  /**
   * The outcome of the first attempt that doesn't fail. An attempt ends with the last byte of its
   * body, so a body that breaks off is a failed attempt. Throws MISSING for a get of a key that
   * isn't there, else S3_ERROR.
   */
  <T> T request(String operation, String key, Callable<T> attempt) {
    awaitTurn(); // before the clock of the phase starts
    return phase == null
        ? repeat(operation, key, attempt)
        : journal.timed(phase, () -> repeat(operation, key, attempt));
  }

  /** Comes with a permit, and gives it back after each attempt. */
  private <T> T repeat(String operation, String key, Callable<T> attempt) {
    for (int n = 1; ; n++) {
      try {
        try {
          return attempt.call();
        } finally {
          permits.release();
        }
      } catch (AbortedException | InterruptedException e) {
        throw givenUp(e);
      } catch (SdkException | IOException e) {
        if (operation.equals("get") && e instanceof NoSuchKeyException) {
          throw Errors.ofSource(Errors.Code.MISSING, e);
        }
        if (n == MOST || isFinal(e)) {
          AggregationException failure = Errors.ofRequest(operation, key, e);
          onFailure.accept(failure);
          throw failure;
        }
        if (Thread.currentThread().isInterrupted()) {
          throw givenUp(e); // no attempt follows
        }
        logRetry(operation, key, n, e);
        pause(FIRST_DELAY.multipliedBy(1L << (n - 1)));
        awaitTurn();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e); // an attempt declares no others
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

  private void logRetry(String operation, String key, int attempt, Exception e) {
    journal.log(
        Journal.Level.WARN,
        "retry",
        Json.object("operation", operation, "key", key, "attempt", attempt, "cause", e.toString()));
  }

  private static boolean isFinal(Exception e) {
    if (!(e instanceof S3Exception answer)) {
      return false;
    }
    int status = answer.statusCode();
    return status >= 300 && status < 500 && status != 408 && status != 429;
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
