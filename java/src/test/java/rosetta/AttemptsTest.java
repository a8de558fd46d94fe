package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.BadSource;
import rosetta.Errors.RunFailure;
import rosetta.Errors.SourceCode;
import rosetta.concurrency.Pace;
import rosetta.concurrency.Work;
import rosetta.json.Json;
import rosetta.s3.FailedAttempt;

/** Attempts that are told how to fail. */
class AttemptsTest {
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private final FakePace pace = new FakePace(1);
  private final Work work = new Work(pace, Duration.ofSeconds(60), IllegalStateException::new);
  private final Attempts attempts = attempts(work);
  private int made;

  /** Pauses without waiting, and sums the pauses up. */
  private static final class FakePace extends Pace {
    private final List<Duration> pauses = new ArrayList<>();
    private Instant now = Instant.EPOCH;

    FakePace(int max) {
      super(max);
    }

    @Override
    public Instant now() {
      return now;
    }

    @Override
    public void sleep(Duration pause) {
      pauses.add(pause);
      now = now.plus(pause);
    }
  }

  private Attempts attempts(Work of) {
    return new Attempts(new MemoryStore(), of, new Journal("id", Journal.Level.INFO, log), null);
  }

  @AfterEach
  void givesBackItsPermit() throws InterruptedException {
    assertEquals(1, pace.free());
    work.stop();
  }

  /** Fails so often, then gives 7. */
  private Supplier<Integer> failing(int times, FailedAttempt fault) {
    return () -> {
      assertEquals(0, pace.free());
      if (made++ < times) {
        throw fault;
      }
      return 7;
    };
  }

  private static FailedAttempt answer(int status) {
    return new FailedAttempt(status, "", "refused");
  }

  /** Is answered with SlowDown so often, then gives 7. */
  private Supplier<Integer> slow(int times) {
    return failing(times, new FailedAttempt(503, "SlowDown", "too fast"));
  }

  private static FailedAttempt broken() {
    return new FailedAttempt(new IOException("short"));
  }

  private Object never() throws InterruptedException {
    new CountDownLatch(1).await();
    return null;
  }

  /** The numbers of the attempts that were logged as failed. */
  private List<Integer> retries() throws IOException {
    List<Integer> retries = new ArrayList<>();
    for (String text : log.toString(StandardCharsets.UTF_8).lines().toList()) {
      Map<?, ?> line = (Map<?, ?>) Json.parse(text.getBytes(StandardCharsets.UTF_8));
      assertEquals("retry", line.get("event"));
      assertEquals("get", line.get("operation"));
      assertEquals("key", line.get("key"));
      retries.add(((Double) line.get("attempt")).intValue());
    }
    return retries;
  }

  @Test
  void survivesFourFailures() throws IOException {
    assertEquals(7, attempts.request("get", "key", failing(4, broken())));
    assertEquals(List.of(1, 2, 3, 4), retries());
  }

  @Test
  void endsWithTheFifthFailure() throws Exception {
    FailedAttempt fault = broken();
    RunFailure e =
        assertThrows(RunFailure.class, () -> attempts.request("get", "key", failing(9, fault)));
    assertEquals("S3_ERROR: get key", e.getMessage());
    assertEquals(e, assertThrows(RunFailure.class, () -> work.toItsEnd(this::never)));
    assertEquals(fault, e.getCause());
    assertEquals(5, made);
    assertEquals(List.of(1, 2, 3, 4), retries()); // none for the last: nothing follows it
  }

  @ParameterizedTest
  @ValueSource(ints = {301, 307, 400, 403, 404, 499})
  void doesNotRepeatWhatWasRefused(int status) throws IOException {
    assertThrows(
        RunFailure.class, () -> attempts.request("get", "key", failing(9, answer(status))));
    assertEquals(1, made);
    assertEquals(List.of(), retries());
  }

  @ParameterizedTest
  @ValueSource(ints = {408, 409, 429, 500, 503})
  void repeatsWhatMayPass(int status) throws IOException {
    assertEquals(7, attempts.request("get", "key", failing(1, answer(status))));
    assertEquals(List.of(1), retries());
  }

  /** It has the status 400, as refusals have. */
  @Test
  void repeatsATimeOutOfS3() throws IOException {
    FailedAttempt fault = new FailedAttempt(400, "RequestTimeout", "too slow");
    assertEquals(7, attempts.request("get", "key", failing(1, fault)));
    assertEquals(List.of(1), retries());
  }

  @Test
  void passesOnABadSource() throws Exception {
    Supplier<Integer> missing =
        () -> {
          throw new BadSource(SourceCode.MISSING);
        };
    assertThrows(BadSource.class, () -> attempts.request("get", "key", missing));
    assertEquals(7, work.toItsEnd(() -> 7)); // which no failure has ended
    assertEquals(List.of(), retries());
  }

  @Test
  void isGivenUpWithItsThread() throws IOException {
    Supplier<Integer> interrupted =
        () -> {
          made++;
          Thread.currentThread().interrupt();
          throw broken();
        };
    assertThrows(CancellationException.class, () -> attempts.request("get", "key", interrupted));
    assertTrue(Thread.interrupted()); // and cleared for the next test
    assertEquals(1, made);
    assertEquals(List.of(), retries());
  }

  /** What a run that is given up in the pause has logged. */
  @Test
  void tellsTheRetryBeforeThePause() throws Exception {
    Work real = new Work(new Pace(1), Duration.ofSeconds(60), IllegalStateException::new);
    Supplier<Integer> slow =
        () -> {
          made++;
          throw new FailedAttempt(503, "SlowDown", "too fast");
        };
    Thread request =
        Thread.ofVirtual()
            .start(
                () ->
                    assertThrows(
                        CancellationException.class,
                        () -> attempts(real).request("get", "key", slow)));
    while (retries().isEmpty() || request.getState() != Thread.State.TIMED_WAITING) {
      Thread.sleep(1);
    }
    List<Integer> inThePause = retries();
    assertEquals(1, real.pace().free()); // a request that pauses is not in flight
    request.interrupt();
    request.join();
    assertEquals(List.of(1), inThePause);
    assertEquals(1, made);
    assertEquals(List.of(1), retries());
  }

  @Test
  void countsFromItsTurnAndFailuresToo() throws Exception {
    pace.acquire();
    Journal journal = new Journal("id", Journal.Level.INFO, log);
    Attempts counted =
        new Attempts(new MemoryStore(), work, journal, null).countedAs(Journal.Phase.GET);
    Thread request =
        Thread.ofVirtual()
            .start(
                () ->
                    assertThrows(
                        RunFailure.class,
                        () -> counted.request("get", "key", failing(9, answer(403)))));
    while (request.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    Thread.sleep(2000); // not counted
    pace.release();
    request.join();
    journal.end((Record) null);
    Map<?, ?> end = (Map<?, ?>) Json.parse(log.toByteArray());
    Map<?, ?> get = (Map<?, ?>) ((Map<?, ?>) end.get("phases")).get("get");
    assertEquals(1.0, get.get("count"));
    assertTrue((Double) get.get("sum_ms") < 2000, get.toString());
  }

  /** E8: seconds, each times a random factor from 0.5 to 1. */
  @Test
  void doesNotCountSlowDown() throws IOException {
    assertEquals(7, attempts.request("get", "key", slow(7)));
    assertEquals(List.of(1, 2, 3, 4, 5, 6, 7), retries());
    assertPauses(1000, 2000, 4000, 4000, 4000, 4000, 4000);
  }

  /** E8, E5: both kinds of failed attempts have their own count. */
  @Test
  void countsOtherFailuresBesideSlowDown() throws IOException {
    FailedAttempt slowDown = new FailedAttempt(503, "SlowDown", "too fast");
    Supplier<Integer> both =
        () -> {
          throw made++ % 2 == 0 ? broken() : slowDown;
        };
    assertThrows(RunFailure.class, () -> attempts.request("get", "key", both));
    assertEquals(9, made);
    assertPauses(100, 1000, 200, 2000, 400, 4000, 800, 4000);
  }

  private void assertPauses(long... mostMs) {
    assertEquals(mostMs.length, pace.pauses.size());
    for (int i = 0; i < mostMs.length; i++) {
      long ms = pace.pauses.get(i).toMillis();
      assertTrue(mostMs[i] / 2 <= ms && ms <= mostMs[i], pace.pauses.toString());
    }
  }

  /** E8: from W4 on, no pause outlasts the invocation. Before, the limit of E6 ends it. */
  @Test
  void failsWithSlowDownBeforeTheEnd() throws Exception {
    pace.now = pace.now.plusSeconds(58);
    assertEquals(7, attempts.request("get", "key", slow(3)));
    pace.now = work.end().minusSeconds(5);
    made = 0;
    RunFailure e =
        assertThrows(
            RunFailure.class, () -> work.toItsEnd(() -> attempts.request("copy", "key", slow(99))));
    assertEquals("S3_ERROR: copy key (SlowDown)", e.getMessage());
    assertTrue(pace.now.isBefore(work.end()), pace.now.toString());
    assertTrue(made >= 3, "" + made);
  }

  /** E5: from W4 on, the last second ends a request that has no answer. */
  @Test
  void failsWhenTheLastSecondBegins() throws Exception {
    pace.now = work.end().minusMillis(1_050);
    Supplier<Integer> silent =
        () -> {
          try {
            never();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          throw broken();
        };
    RunFailure e =
        assertThrows(
            RunFailure.class, () -> work.toItsEnd(() -> attempts.request("copy", "key", silent)));
    assertEquals("S3_ERROR: copy key", e.getMessage());
    work.stop();
    assertTrue(work.tasks().awaitTermination(20, TimeUnit.SECONDS));
    e = assertThrows(RunFailure.class, () -> work.toItsEnd(this::never)); // as it has failed
    assertEquals("S3_ERROR: copy key", e.getMessage());
  }

  @Test
  void halvesAndGrowsByOne() throws IOException {
    FakePace wide = new FakePace(5);
    Attempts many = attempts(new Work(wide, Duration.ofSeconds(60), IllegalStateException::new));
    List<Integer> free = new ArrayList<>();
    Supplier<Integer> request =
        () -> {
          free.add(wide.free() + 1); // with its own
          if (made++ < 3) {
            throw new FailedAttempt(503, "SlowDown", "too fast");
          }
          return 7;
        };
    for (int i = 0; i < 6; i++) {
      many.request("get", "key", request);
    }
    assertEquals(List.of(5, 2, 1, 1, 2, 3, 4, 5, 5), free);
  }

  /** E10: an allocation that fails in a request ends the run, whatever its thread waits for. */
  @Test
  void endsTheWorkWithoutMemory() throws Exception {
    Supplier<Integer> large =
        () -> {
          throw new OutOfMemoryError("Java heap space");
        };
    assertThrows(OutOfMemoryError.class, () -> attempts.request("get", "key", large));
    assertThrows(OutOfMemoryError.class, () -> work.toItsEnd(this::never));
  }

  /** E4: the code, if it is one of S3's. */
  @Test
  void namesTheCode() {
    String[][] codes = {
      {"AccessDenied", " (AccessDenied)"}, {"Auth.Bad1", " (Auth.Bad1)"}, {"403", ""}, {"", ""},
    };
    for (String[] code : codes) {
      FailedAttempt fault = new FailedAttempt(403, code[0], "refused");
      made = 0;
      RunFailure e =
          assertThrows(RunFailure.class, () -> attempts.request("get", "key", failing(1, fault)));
      assertEquals("S3_ERROR: get key" + code[1], e.getMessage());
    }
  }
}
