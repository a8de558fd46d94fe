package rosetta.concurrency;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class WorkTest {
  /** The failure at the limit. */
  private static final class OutOfTime extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static Work lasting(long ms) {
    return new Work(new Pace(1), Duration.ofMillis(ms), OutOfTime::new);
  }

  private static Object never() throws InterruptedException {
    new CountDownLatch(1).await();
    return null;
  }

  /** E6: 10 % of the time are left. */
  @Test
  void endsAtItsLimit() throws Exception {
    Work work = lasting(1_000);
    long began = System.nanoTime();
    assertThrows(OutOfTime.class, () -> work.inTime(WorkTest::never));
    Duration took = Duration.ofNanos(System.nanoTime() - began);
    assertTrue(took.toMillis() >= 890, took.toString());
    assertTrue(work.stop());
  }

  /** K4: the stop came before the work. */
  @Test
  void beginsNothingAfterItsLimit() throws Exception {
    Work work = lasting(600_000);
    AtomicBoolean hasBegun = new AtomicBoolean();
    work.expire();
    assertThrows(OutOfTime.class, () -> work.inTime(() -> hasBegun.getAndSet(true)));
    assertTrue(work.stop());
    assertFalse(hasBegun.get());
  }

  /** E6: 250 ms for each chunk, as soon as it is put. */
  @Test
  void leavesTimeForItsChunks() throws Exception {
    Work work = lasting(600_000);
    work.reserveFor(2_300);
    assertEquals(7, work.inTime(() -> 7));
    work.reserveFor(2_400);
    assertThrows(OutOfTime.class, () -> work.inTime(WorkTest::never));
    assertEquals(7, work.toItsEnd(() -> 7)); // from W4 on
    work.stop();
  }

  /** E6: W4 does not begin in the last second. */
  @Test
  void doesNotBeginToPublishInTheLastSecond() throws Exception {
    Work work = lasting(1_000);
    AtomicBoolean hasBegun = new AtomicBoolean();
    assertThrows(OutOfTime.class, () -> work.toItsEnd(() -> hasBegun.getAndSet(true)));
    assertTrue(work.stop());
    assertFalse(hasBegun.get());
  }

  /** E4. */
  @Test
  void endsWithAFailure() throws Exception {
    Work work = lasting(600_000);
    work.tasks().execute(() -> work.fail(new IllegalStateException("a request")));
    assertThrows(IllegalStateException.class, () -> work.toItsEnd(WorkTest::never));
    assertTrue(work.stop());
  }

  /** E8: in time, the limit ends a pause; later, a pause must leave the last second. */
  @Test
  void knowsThePausesThatFit() throws Exception {
    Work work = lasting(60_000);
    assertTrue(work.mayPause(Duration.ofSeconds(61)));
    work.toItsEnd(() -> 7);
    assertFalse(work.mayPause(Duration.ofSeconds(59)));
    assertTrue(work.mayPause(Duration.ofSeconds(4)));
    work.stop();
  }
}
