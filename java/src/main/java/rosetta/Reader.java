// Step: reader. SPEC R1, R2, R9, P2: the bodies in key order, fetched ahead through a window.
// Holds at most CONCURRENCY bodies and 64 MiB by listed size, with the consumer's own.
package rosetta;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;

/**
 * One thread lists and fills the queue with sources, whose bodies other threads fetch; the consumer
 * takes them in the same order. Two semaphores bound its sources; the lister's room bounds its page
 * ends.
 */
final class Reader {
  private static final int WINDOW_BYTES = 64 << 20;

  sealed interface Item {}

  /**
   * A source in the window.
   *
   * @param share its bytes of the window
   * @param fetched the result of its get, which may not have ended
   */
  record Source(String key, int share, Future<byte[]> fetched) implements Item {}

  /** Follows the last source of a page. */
  private record PageEnd() implements Item {}

  /**
   * Follows the last page.
   *
   * @param failure the reason why the listing ended early, or null
   */
  private record DayEnd(Throwable failure) implements Item {}

  private final Store store;
  private final Config config;
  private final Lister lister;
  private final ExecutorService tasks;
  private final Journal journal;
  private final BlockingQueue<Item> window = new LinkedBlockingQueue<>();
  private final Semaphore places;
  private final Semaphore bytes = new Semaphore(WINDOW_BYTES);
  private Source current;

  /** Starts to fill the window. */
  Reader(Store store, Config config, Lister lister, ExecutorService tasks, Journal journal) {
    this.store = store.countedAs(Journal.Phase.GET);
    this.config = config;
    this.lister = lister;
    this.tasks = tasks;
    this.journal = journal;
    this.places = new Semaphore(config.concurrency());
    tasks.execute(this::fill);
  }

  /** The next source, or null after the last; the source before it leaves the window. */
  Source next() throws InterruptedException {
    if (current != null) {
      bytes.release(current.share());
      places.release();
      current = null;
    }
    while (true) {
      Item item = journal.waiting(window::take);
      if (item instanceof Source source) {
        current = source;
        return source;
      }
      if (item instanceof DayEnd end) {
        if (end.failure() != null) {
          throw Errors.unchecked(end.failure());
        }
        return null;
      }
      lister.pageConsumed();
    }
  }

  /** Its body as stored; throws MISSING, ARCHIVED or TOO_LARGE. */
  byte[] body(Source source) throws InterruptedException {
    return journal.waiting(() -> Errors.outcome(source.fetched()));
  }

  private void fill() {
    Throwable failure = null;
    try {
      for (List<Store.Entry> page = lister.nextPage(); page != null; page = lister.nextPage()) {
        for (Store.Entry source : page) {
          fetch(source);
        }
        window.add(new PageEnd());
      }
    } catch (Throwable e) { // the consumer throws it
      failure = e;
    }
    window.add(new DayEnd(failure));
  }

  /** Waits for room in the window, then fetches on another thread. */
  private void fetch(Store.Entry entry) throws InterruptedException {
    boolean tooLarge = entry.size() > config.maxSourceBytes();
    int share = tooLarge ? 0 : (int) Math.min(entry.size(), WINDOW_BYTES);
    places.acquire();
    bytes.acquire(share);
    Future<byte[]> fetched =
        tooLarge
            ? CompletableFuture.failedFuture(new BadSource(SourceCode.TOO_LARGE))
            : tasks.submit(() -> get(entry.key()));
    window.add(new Source(entry.key(), share, fetched));
  }

  private byte[] get(String key) {
    Store.Stored stored = store.get(config.srcBucket(), key, config.maxSourceBytes());
    if (stored.fault() != null) {
      throw new BadSource(stored.fault());
    }
    return stored.body();
  }
}
