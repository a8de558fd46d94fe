// The threads of a run, and what stops them. SPEC E4, E6.
// Holds a virtual thread for each task: an interrupt ends its wait for S3, too.
package rosetta.concurrency;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import rosetta.Errors;

/** Work that ends early when a request fails for good, or when the time is up. */
public final class Work {
  private static final Duration MAX_RESERVE = Duration.ofSeconds(30);
  private static final Duration RESERVE_OF_A_CHUNK = Duration.ofMillis(250);
  private static final long FAREWELL_MS = 100;
  // for W13 and the line end (E5)
  private static final Duration ENDING = Duration.ofSeconds(1);

  private final ExecutorService tasks = Executors.newVirtualThreadPerTaskExecutor();
  private final CompletableFuture<Void> failure = new CompletableFuture<>();
  private final CompletableFuture<Void> timer = new CompletableFuture<>();
  private final CompletableFuture<Void> late;
  private final CompletableFuture<Boolean> lastSecond = new CompletableFuture<>();
  private final Set<Runnable> unanswered = ConcurrentHashMap.newKeySet();
  private final Pace pace;
  private final Instant end;
  private final Duration reserve;
  private volatile boolean isUnlimited;

  /**
   * @param pace the permits of the work's requests
   * @param left the time until the end of the invocation
   * @param outOfTime makes the failure of work that the limit ends
   */
  public Work(Pace pace, Duration left, Supplier<? extends RuntimeException> outOfTime) {
    late = timer.exceptionallyCompose(timeout -> CompletableFuture.failedFuture(outOfTime.get()));
    this.pace = pace;
    end = pace.now().plus(left);
    reserve = Collections.min(List.of(left.dividedBy(10), MAX_RESERVE));
    reserveFor(0);
  }

  public ExecutorService tasks() {
    return tasks;
  }

  public Pace pace() {
    return pace;
  }

  /** The end of the invocation. */
  public Instant end() {
    return end;
  }

  /** Ends the work now, although its own thread may wait for something else (E4). */
  public void fail(Throwable reason) {
    failure.completeExceptionally(reason);
  }

  /** Leaves the time that publishing so many chunks may need (E6). A limit never moves later. */
  public void reserveFor(int chunks) {
    Duration needed = RESERVE_OF_A_CHUNK.multipliedBy(chunks);
    Instant limit = end.minus(Collections.max(List.of(reserve, needed)));
    Duration left = Duration.between(pace.now(), limit);
    if (left.isPositive()) {
      timer.orTimeout(left.toNanos(), TimeUnit.NANOSECONDS);
    } else {
      expire();
    }
  }

  /** The time is up: that of work without a limit is not (K4). */
  public void expire() {
    timer.completeExceptionally(new TimeoutException());
  }

  /** The work's result; throws its failure, or the reason that it was ended for (E4, E6). */
  public <T> T inTime(Callable<T> work) throws InterruptedException {
    return result(work, failure, late);
  }

  /** The same from W4 on: until the last second, when a request without an answer fails (E5). */
  public <T> T toItsEnd(Callable<T> work) throws InterruptedException {
    Duration left = Duration.between(pace.now(), end.minus(ENDING));
    if (!left.isPositive()) { // W4 does not begin in the last second (E6)
      expire();
      return inTime(work);
    }
    isUnlimited = true;
    var unused =
        lastSecond
            .completeOnTimeout(true, left.toNanos(), TimeUnit.NANOSECONDS)
            .thenAccept(
                isHere -> {
                  if (isHere) {
                    unanswered.forEach(Runnable::run);
                  }
                });
    return result(work, failure);
  }

  /** A request begins, which fails by this if the last second comes before its answer. */
  public void await(Runnable fail) {
    unanswered.add(fail);
    if (lastSecond.getNow(false)) {
      fail.run();
    }
  }

  public void answered(Runnable fail) {
    unanswered.remove(fail);
  }

  /** Whether a request may pause for so long. In time, the limit ends the pause (E5). */
  public boolean mayPause(Duration pause) {
    return !isUnlimited || pace.now().plus(pause).isBefore(end.minus(ENDING));
  }

  private <T> T result(Callable<T> work, CompletableFuture<?>... stops)
      throws InterruptedException {
    CompletableFuture<T> result = new CompletableFuture<>();
    CompletableFuture<Object> stop = CompletableFuture.anyOf(stops);
    if (!stop.isDone()) { // else nothing begins
      tasks.execute(
          () -> {
            try {
              result.complete(work.call());
            } catch (Throwable e) { // the caller throws it
              result.completeExceptionally(e);
            }
          });
    }
    Errors.outcome(CompletableFuture.anyOf(result, stop));
    return result.join();
  }

  /** Makes the requests on threads of their own, until all have succeeded or one has failed. */
  public <T> void sideBySide(List<T> items, Consumer<T> request) throws InterruptedException {
    List<Future<?>> requests = new ArrayList<>();
    for (T item : items) {
      requests.add(tasks.submit(() -> request.accept(item)));
    }
    for (Future<?> made : requests) {
      Errors.outcome(made);
    }
  }

  /** Interrupts the tasks that still run; true if they have ended. */
  public boolean stop() throws InterruptedException {
    timer.complete(null); // no timer is left
    lastSecond.complete(false);
    tasks.shutdownNow();
    return tasks.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS);
  }

  /** Throws if the work has been ended. Each long loop calls it: an interrupt ends waits only. */
  public static void check() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancellationException("the run has ended");
    }
  }
}
