package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.BadSource;
import rosetta.Errors.RunFailure;
import rosetta.Errors.SourceCode;
import rosetta.json.Json;

/** Attempts that are told how to fail. */
class AttemptsTest {
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private final Semaphore permits = new Semaphore(1);
  private final List<RunFailure> failures = new ArrayList<>();
  private final Attempts attempts =
      new Attempts(
          new MemoryStore(),
          permits,
          new Journal("id", Journal.Level.INFO, log),
          failures::add,
          null);
  private int made;

  @AfterEach
  void givesBackItsPermit() {
    assertEquals(1, permits.availablePermits());
  }

  /** Fails so often, then gives 7. */
  private Supplier<Integer> failing(int times, Store.FailedAttempt fault) {
    return () -> {
      assertEquals(0, permits.availablePermits());
      if (made++ < times) {
        throw fault;
      }
      return 7;
    };
  }

  private static Store.FailedAttempt answer(int status) {
    return new Store.FailedAttempt(status, "", "refused");
  }

  private static Store.FailedAttempt broken() {
    return new Store.FailedAttempt(new IOException("short"));
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
  void endsWithTheFifthFailure() throws IOException {
    Store.FailedAttempt fault = broken();
    RunFailure e =
        assertThrows(RunFailure.class, () -> attempts.request("get", "key", failing(9, fault)));
    assertEquals("S3_ERROR: get key", e.getMessage());
    assertEquals(List.of(e), failures);
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
    Store.FailedAttempt fault = new Store.FailedAttempt(400, "RequestTimeout", "too slow");
    assertEquals(7, attempts.request("get", "key", failing(1, fault)));
    assertEquals(List.of(1), retries());
  }

  @Test
  void passesOnABadSource() throws IOException {
    Supplier<Integer> missing =
        () -> {
          throw new BadSource(SourceCode.MISSING);
        };
    assertThrows(BadSource.class, () -> attempts.request("get", "key", missing));
    assertEquals(List.of(), failures);
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
    Thread request =
        Thread.ofVirtual()
            .start(
                () ->
                    assertThrows(
                        CancellationException.class,
                        () -> attempts.request("get", "key", failing(9, broken()))));
    while (request.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    List<Integer> inThePause = retries();
    request.interrupt();
    request.join();
    assertEquals(List.of(1), inThePause);
    assertEquals(1, made);
    assertEquals(List.of(1), retries());
  }

  @Test
  void countsFromItsTurnAndFailuresToo() throws Exception {
    permits.acquire();
    Journal journal = new Journal("id", Journal.Level.INFO, log);
    Attempts counted =
        new Attempts(new MemoryStore(), permits, journal, failures::add, null)
            .countedAs(Journal.Phase.GET);
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
    permits.release();
    request.join();
    journal.end((Record) null);
    Map<?, ?> end = (Map<?, ?>) Json.parse(log.toByteArray());
    Map<?, ?> get = (Map<?, ?>) ((Map<?, ?>) end.get("phases")).get("get");
    assertEquals(1.0, get.get("count"));
    assertTrue((Double) get.get("sum_ms") < 1000, get.toString());
  }
}
