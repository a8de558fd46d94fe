// The permits of a run, and its clock. SPEC P1, E8.
// Holds the number of requests that may be in flight now.
package rosetta.concurrency;

import java.time.Duration;
import java.time.Instant;

/** A permit for each request in flight; fewer while S3 answers SlowDown. */
public class Pace {
  private final int max;
  private int limit;
  private int inFlight;

  public Pace(int max) {
    this.max = max;
    this.limit = max;
  }

  public synchronized void acquire() throws InterruptedException {
    while (inFlight >= limit) {
      wait();
    }
    inFlight++;
  }

  public synchronized void release() {
    inFlight--;
    notify(); // one place is free for one request
  }

  /** S3 has answered SlowDown. */
  public synchronized void halve() {
    limit = Math.max(1, limit / 2);
  }

  /** An attempt has succeeded. */
  public synchronized void grow() {
    if (limit < max) {
      limit++;
      notify();
    }
  }

  /** The number of requests that may begin now; below zero after a halving. */
  public synchronized int free() {
    return limit - inFlight;
  }

  public Instant now() {
    return Instant.now();
  }

  public void sleep(Duration pause) throws InterruptedException {
    Thread.sleep(pause);
  }
}
