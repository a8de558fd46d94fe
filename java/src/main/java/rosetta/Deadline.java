// Step: errors, the clock. SPEC E6: when a run that hasn't begun to publish gives up, however its
// requests hang. Every wait of the ordered consumer is here, and so is its sum (O4).
package rosetta;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Used by the one consumer only. */
final class Deadline {
  private static final long MOST_RESERVED_MS = 30_000;

  private final long moment;
  private long sourcesRead;
  private long waitedNanos;

  /**
   * Starts the clock.
   *
   * @param remainingMs what is left of the invocation's time now
   */
  Deadline(long remainingMs) {
    long reservedMs = Math.min(remainingMs / 10, MOST_RESERVED_MS);
    moment = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(remainingMs - reservedMs);
  }

  /** One more source's records, or fault, are taken in. */
  void sourceRead() {
    sourcesRead++;
  }

  long waitedMs() {
    return TimeUnit.NANOSECONDS.toMillis(waitedNanos);
  }

  /** Throws OUT_OF_TIME when the moment has come. */
  void check() {
    if (moment - System.nanoTime() <= 0) {
      throw outOfTime();
    }
  }

  /** Waits for a listing or a body; throws what the task threw, or OUT_OF_TIME. */
  <T> T await(Future<T> task) {
    long started = System.nanoTime();
    try {
      return finish(task);
    } finally {
      waitedNanos += System.nanoTime() - started;
    }
  }

  /** As {@link #await}, for work that isn't waiting in the sense of O4. */
  <T> T finish(Future<T> task) {
    check();
    try {
      return task.get(moment - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw outOfTime();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof AggregationException known) {
        throw known;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private AggregationException outOfTime() {
    return new AggregationException(Errors.Code.OUT_OF_TIME, sourcesRead + " sources read");
  }
}
