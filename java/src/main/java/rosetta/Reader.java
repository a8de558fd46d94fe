// Step: reader. SPEC R1, R2, P2: the bodies in key order, fetched ahead through a bounded window.
// Holds at most CONCURRENCY bodies and 64 MiB by listed size, with the one being consumed.
package rosetta;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;

/** Used by the one consumer only. */
final class Reader {
  private static final long WINDOW_BYTES = 64L << 20;

  /** A source on its way; its share of the window is 0 when it isn't fetched. */
  private record Source(String key, long windowBytes, Future<byte[]> body) {}

  private final Store store;
  private final Config config;
  private final Lister lister;
  private final ExecutorService tasks;
  private final Deadline deadline;
  private final Deque<Source> window = new ArrayDeque<>();
  private Source current;
  private long windowBytes;

  Reader(Store store, Config config, Lister lister, ExecutorService tasks, Deadline deadline) {
    this.store = store.countedAs(Journal.Phase.GET);
    this.config = config;
    this.lister = lister;
    this.tasks = tasks;
    this.deadline = deadline;
  }

  /** The next source's key, or null after the last. The one before it must be written by now. */
  String next() {
    deadline.check();
    if (current != null) {
      windowBytes -= current.windowBytes();
      current = null; // so that its body can go
    }
    fill();
    current = window.poll();
    return current == null ? null : current.key();
  }

  /** That source's body as stored; throws MISSING or TOO_LARGE. */
  byte[] body() {
    return deadline.await(current.body());
  }

  private void fill() {
    while (window.size() < config.concurrency()) {
      Store.Entry next = lister.peek(window.isEmpty());
      if (next == null || !(window.isEmpty() || windowBytes + next.size() <= WINDOW_BYTES)) {
        return;
      }
      Source source = request(lister.take());
      windowBytes += source.windowBytes();
      window.add(source);
    }
  }

  private Source request(Store.Entry entry) {
    String key = entry.key();
    if (entry.size() > config.maxSourceBytes()) {
      return new Source(
          key, 0, CompletableFuture.failedFuture(Errors.ofSource(Errors.Code.TOO_LARGE, null)));
    }
    return new Source(
        key,
        entry.size(),
        tasks.submit(() -> store.get(config.srcBucket(), key, config.maxSourceBytes())));
  }
}
