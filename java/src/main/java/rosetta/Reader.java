// Step: reader. SPEC R1, R2, P2: the bodies in key order, fetched ahead through a bounded window.
// Holds at most CONCURRENCY bodies and 64 MiB by listed size, with the one being consumed.
package rosetta;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;

/** A thread of its own fills the window; the rest is for the one consumer only. */
final class Reader {
  private static final int WINDOW_BYTES = 64 << 20;

  /** A source on its way, or, without a key, the end of a page. */
  private static final class Item {
    final String key;
    final int windowBytes; // its share of the window
    final Future<byte[]> body;
    private CompletableFuture<Item> next; // gives null after the last

    Item(String key, int windowBytes, Future<byte[]> body, CompletableFuture<Item> next) {
      this.key = key;
      this.windowBytes = windowBytes;
      this.body = body;
      this.next = next;
    }

    /**
     * To be called once. A dead item that has grown old would keep alive, in each collection of the
     * young, all that followed it with its bodies, and make that old, too.
     */
    CompletableFuture<Item> cutNext() {
      CompletableFuture<Item> following = next;
      next = null;
      return following;
    }
  }

  private final Store store;
  private final Config config;
  private final Lister lister;
  private final ExecutorService tasks;
  private final Deadline deadline;
  private final Semaphore places;
  private final Semaphore bytes = new Semaphore(WINDOW_BYTES);
  private CompletableFuture<Item> last = new CompletableFuture<>(); // the filling thread's
  private CompletableFuture<Item> next = last;
  private Item current;

  /** Starts to fill the window. */
  Reader(Store store, Config config, Lister lister, ExecutorService tasks, Deadline deadline) {
    this.store = store.countedAs(Journal.Phase.GET);
    this.config = config;
    this.lister = lister;
    this.tasks = tasks;
    this.deadline = deadline;
    this.places = new Semaphore(config.concurrency());
    tasks.execute(this::fill);
  }

  /** The next source's key, or null after the last. The one before it must be written by now. */
  String next() {
    deadline.check();
    if (current != null) {
      bytes.release(current.windowBytes);
      places.release();
      current = null; // so that its body can go
    }
    for (Item item = deadline.await(next); item != null; item = deadline.await(next)) {
      next = item.cutNext();
      if (item.key != null) {
        current = item;
        return item.key;
      }
      lister.passed();
    }
    return null;
  }

  /** That source's body as stored; throws MISSING or TOO_LARGE. */
  byte[] body() {
    return deadline.await(current.body);
  }

  private void fill() {
    try {
      for (List<Store.Entry> page = lister.nextPage(); page != null; page = lister.nextPage()) {
        for (Store.Entry entry : page) {
          request(entry);
        }
        add(null, 0, null);
      }
      last.complete(null);
    } catch (ExecutionException e) {
      last.completeExceptionally(e.getCause());
    } catch (Throwable e) { // else the consumer would wait for ever
      last.completeExceptionally(e);
    }
  }

  private void request(Store.Entry entry) throws InterruptedException {
    String key = entry.key();
    boolean tooLarge = entry.size() > config.maxSourceBytes();
    int share = tooLarge ? 0 : (int) Math.min(entry.size(), WINDOW_BYTES);
    places.acquire();
    bytes.acquire(share);
    add(
        key,
        share,
        tooLarge
            ? CompletableFuture.failedFuture(Errors.ofSource(Errors.Code.TOO_LARGE, null))
            : tasks.submit(() -> store.get(config.srcBucket(), key, config.maxSourceBytes())));
  }

  private void add(String key, int windowBytes, Future<byte[]> body) {
    CompletableFuture<Item> following = new CompletableFuture<>();
    last.complete(new Item(key, windowBytes, body, following));
    last = following;
  }
}
