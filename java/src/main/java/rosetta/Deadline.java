// Step: errors, the clock. SPEC E6: when a run that hasn't begun to publish gives up, however its
// requests hang; and E4: at once when one has failed. Every wait of the ordered consumer is here,
// and so is its sum (O4).
package rosetta;

import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Used by the one consumer only, save for {@link #end}. */
final class Deadline {
  private static final long MOST_RESERVED_MS = 30_000;

  private final long moment;
  private long sourcesRead;
  private long waitedNanos;
  private volatile Future<?> awaited;
  private volatile AggregationException failure;

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

  /** E4: the run ends now, whatever it waits for. May be called by any thread. */
  void end(AggregationException reason) {
    failure = reason;
    Future<?> task = awaited; // read after failure is written, and the other way round in finish
    if (task != null) {
      task.cancel(true);
    }
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
    awaited = task;
    try {
      if (failure != null) {
        throw failure;
      }
      return task.get(moment - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw outOfTime();
    } catch (CancellationException e) {
      throw failure == null ? e : failure;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof AggregationException known) {
        throw known;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    } finally {
      awaited = null;
    }
  }

  private AggregationException outOfTime() {
    return new AggregationException(Errors.Code.OUT_OF_TIME, sourcesRead + " sources read");
  }
}
