// Tuning: what a sandbox keeps from one invocation to the next. Skip on first reading.
// The plain version makes all of it anew for each invocation.
package rosetta.tuning;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import rosetta.Config;
import rosetta.Inflater;
import rosetta.Splitter;
import rosetta.Store;

/** The client with its connections, the threads and the buffers. For one run at a time. */
public final class Sandbox {
  private static final long FAREWELL_MS = 100;
  private static final int THREADS_BESIDE_REQUESTS = 2; // the run's own, and the reader's

  private final Config config;
  private final Supplier<Store> connect;
  private final Store client;
  private final Semaphore permits;
  private final ExecutorService tasks;
  private final Inflater inflater;
  private final Splitter splitter = new Splitter();
  private final ChunkBuffer compressed = new ChunkBuffer();
  private final Heap heap = new Heap();

  @SuppressWarnings("UnusedVariable") // Lambda holds it by a weak reference
  private Snapshot snapshot;

  public Sandbox(Config config, Supplier<Store> connect) {
    this.config = config;
    this.connect = connect;
    this.client = connect.get();
    this.permits = new Semaphore(config.concurrency());
    this.tasks =
        Executors.newFixedThreadPool(
            config.concurrency() + THREADS_BESIDE_REQUESTS, Thread.ofPlatform().daemon().factory());
    this.inflater = new Inflater(config.maxSourceBytes());
  }

  /** Once, in the initialisation. */
  public void rehearseBeforeSnapshot() {
    snapshot = new Snapshot(config, connect, inflater, splitter).registered();
  }

  /** Ends what a failed run has left; the next run needs another sandbox. */
  public void end() throws InterruptedException {
    tasks.shutdownNow();
    client.close(); // an interrupt alone doesn't end a thread's read of a socket
    tasks.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS);
  }

  /** The client, whose connections stay open. */
  public Store client() {
    return client;
  }

  /** One for each request in flight (P1). */
  public Semaphore permits() {
    return permits;
  }

  public ExecutorService tasks() {
    return tasks;
  }

  public Inflater inflater() {
    return inflater;
  }

  public Splitter splitter() {
    return splitter;
  }

  public ChunkBuffer compressed() {
    return compressed;
  }

  public Heap heap() {
    return heap;
  }
}
