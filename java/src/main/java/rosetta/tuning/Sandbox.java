// Tuning: what a sandbox keeps from one invocation to the next. Skip on first reading.
// The plain version makes all of it anew for each invocation. With a new Inflater for each, which
// drops its buffer, the peak memory of sources of 100 MiB is 1.56 times as high, and with a new
// ChunkBuffer, that of 20,000 sources 1.08 times (docs/performance/java.md).
package rosetta.tuning;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import rosetta.Config;
import rosetta.Errors;
import rosetta.Inflater;
import rosetta.Splitter;
import rosetta.Store;

/** The client with its connections, the threads and the buffers. For one run at a time. */
public final class Sandbox {
  private static final long FAREWELL_MS = 100;
  private static final int THREADS_BESIDE_REQUESTS = 2; // the run's own, and the reader's

  /**
   * What one run uses, and the next one again if this one succeeds.
   *
   * @param client whose connections stay open
   * @param permits one for each request in flight (P1)
   */
  public record Kept(
      Store client,
      Semaphore permits,
      ExecutorService tasks,
      Inflater inflater,
      Splitter splitter,
      ChunkBuffer compressed,
      Heap heap) {}

  private final Config config;
  private final Supplier<Store> connect;
  private Kept kept;

  @SuppressWarnings("UnusedVariable") // Lambda holds it by a weak reference
  private Snapshot snapshot;

  public Sandbox(Config config, Supplier<Store> connect) {
    this.config = config;
    this.connect = connect;
    this.kept = fresh();
  }

  private Kept fresh() {
    int threads = config.concurrency() + THREADS_BESIDE_REQUESTS;
    return new Kept(
        connect.get(),
        new Semaphore(config.concurrency()),
        Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory()),
        new Inflater(config.maxSourceBytes()),
        new Splitter(),
        new ChunkBuffer(),
        new Heap());
  }

  /** Once, in the initialisation. */
  public void rehearseIfSnapshot(String initializationType) {
    if ("snap-start".equals(initializationType)) {
      snapshot = new Snapshot(config, connect, kept.inflater(), kept.splitter()).registered();
    }
  }

  public Kept kept() {
    return kept;
  }

  /**
   * Does the work on a thread of its own. Returns its result, or nothing after the time limit.
   * Throws its failure, or the one that {@code failed} gets meanwhile. Without a result nothing is
   * kept: no thread, request or buffer of the work is used again.
   */
  public <T> Optional<T> call(
      Callable<T> work, Instant limit, CompletableFuture<? extends RuntimeException> failed)
      throws InterruptedException {
    CompletableFuture<T> outcome = new CompletableFuture<>();
    CompletableFuture<Void> unused = failed.thenAccept(outcome::completeExceptionally);
    kept.tasks().execute(() -> complete(outcome, work));
    long mostMs = Duration.between(Instant.now(), limit).toMillis();
    try {
      return Optional.of(outcome.get(mostMs, TimeUnit.MILLISECONDS));
    } catch (TimeoutException e) {
      restart();
      return Optional.empty();
    } catch (ExecutionException e) {
      restart();
      return Optional.of(Errors.outcome(outcome)); // throws the cause
    }
  }

  private static <T> void complete(CompletableFuture<T> outcome, Callable<T> work) {
    try {
      outcome.complete(work.call());
    } catch (Throwable e) {
      outcome.completeExceptionally(e);
    }
  }

  /** Does the last work of an invocation, in at most half of the time that is left. */
  public void callLast(Runnable work, Instant end) throws InterruptedException {
    Instant now = Instant.now();
    Instant limit = now.plus(Duration.between(now, end).dividedBy(2));
    call(Executors.callable(work, true), limit, new CompletableFuture<>());
  }

  private void restart() throws InterruptedException {
    kept.tasks().shutdownNow();
    kept.client().close(); // an interrupt alone doesn't end a thread's read of a socket
    kept.tasks().awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS);
    kept = fresh();
  }
}
