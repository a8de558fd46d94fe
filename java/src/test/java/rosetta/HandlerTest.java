package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;
import rosetta.s3.FailedAttempt;
import rosetta.task.Invocation;

class HandlerTest {
  private static final Map<String, String> ENV =
      Map.of("SRC_BUCKET", Runs.SOURCE, "DST_BUCKET", Runs.DESTINATION, "AWS_REGION", "eu-west-1");
  private static final String FOLDER = "AWSLogs/111122223333/CloudTrail/r/2024/02/08/";
  private static final String EVENT = "{\"year\":2024,\"month\":2,\"day\":8}";

  private final ByteArrayOutputStream log = new ByteArrayOutputStream();

  private Publisher.Result handle(Handler handler, long remainingMs) {
    Duration left = Duration.ofMillis(remainingMs);
    Invocation invocation = new Invocation("id", left, log, new CompletableFuture<>());
    return handler.handle(EVENT.getBytes(StandardCharsets.UTF_8), invocation);
  }

  private String error(Handler handler, long remainingMs) {
    return assertThrows(RunFailure.class, () -> handle(handler, remainingMs)).getMessage();
  }

  @Test
  void aggregatesADay() {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.DESTINATION);
    String folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/";
    store.with(Runs.SOURCE, folder + "a", "{\"Records\":[{\"n\":1},{\"n\":2}]}");
    Publisher.Result result = handle(new Handler(ENV, config -> store), 60_000);
    assertEquals(
        "{\"day\":\"2024-02-08\",\"sources\":1,\"bad\":0,\"records\":2,\"bytes\":16,"
            + "\"chunks\":1,\"deleted\":0}",
        Json.write(result));
    assertTrue(log.toString(StandardCharsets.UTF_8).lines().toList().getLast().contains("\"end\""));
  }

  @Test
  void reportsFaultsOfTheInitAtEachInvocation() {
    Handler handler = new Handler(Map.of(), config -> new MemoryStore());
    assertEquals("BAD_SETTINGS: SRC_BUCKET", error(handler, 60_000));
    assertEquals("BAD_SETTINGS: SRC_BUCKET", error(handler, 60_000));
    Handler broken =
        new Handler(
            ENV,
            config -> {
              throw new IllegalArgumentException("no client");
            });
    assertEquals("INTERNAL: see the log", error(broken, 60_000));
    assertTrue(log.toString(StandardCharsets.UTF_8).contains("no client"));
  }

  @Test
  void hidesUnforeseenFaults() {
    MemoryStore broken = dayOf("a");
    broken.before =
        (operation, key) -> {
          throw new IllegalStateException("library wording");
        };
    assertEquals("INTERNAL: see the log", error(new Handler(ENV, config -> broken), 60_000));
    assertTrue(log.toString(StandardCharsets.UTF_8).contains("library wording"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sdk", "light"})
  void aFailedRunLeavesTheNextOneNothing(String client) {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.DESTINATION);
    store.with(Runs.SOURCE, FOLDER + "a", "{\"Records\":[{}]}");
    String chunk = "2024/02/08/_id-000001.ndjson.gz";
    store.failing("put", chunk, "AccessDenied");
    Map<String, String> env = new HashMap<>(ENV);
    env.put("S3_CLIENT", client);
    Handler handler = new Handler(env, config -> store);
    assertEquals("S3_ERROR: put " + chunk + " (AccessDenied)", error(handler, 60_000));
    store.failing("put", chunk, null);
    assertEquals(3, handle(handler, 60_000).bytes());
    assertEquals(3, handle(handler, 60_000).bytes());
  }

  @Test
  void givesUpInTime() {
    MemoryStore store = dayOf("a", "b");
    store.before = (operation, key) -> stallOn(key, "b");
    assertEquals("OUT_OF_TIME: 1 sources read", error(new Handler(ENV, config -> store), 1_000));
  }

  /** E4: also if the run waits for a source before the one that failed. */
  @Test
  void endsWithTheFirstFailure() {
    MemoryStore store = dayOf("a", "b");
    store.before =
        (operation, key) -> {
          stallOn(key, "a");
          if (key.equals(FOLDER + "b")) {
            throw new FailedAttempt(403, "AccessDenied", "refused");
          }
        };
    String error = error(new Handler(ENV, config -> store), 600_000);
    assertEquals("S3_ERROR: get " + FOLDER + "b (AccessDenied)", error);
  }

  /** Lambda's runtime reports such an error and ends the process. */
  @Test
  void endsTheProcessWithoutMemory() {
    MemoryStore store = dayOf("a");
    store.before =
        (operation, key) -> {
          if (operation.equals("get")) {
            throw new OutOfMemoryError("Java heap space");
          }
        };
    Handler handler = new Handler(ENV, config -> store);
    Error fatal = assertThrows(VirtualMachineError.class, () -> handle(handler, 60_000));
    assertEquals("INTERNAL: see the log", fatal.getMessage());
    String end = log.toString(StandardCharsets.UTF_8).lines().toList().getLast();
    assertTrue(end.contains("\"error\":\"INTERNAL: see the log\""), end);
    assertTrue(end.contains("Java heap space"), end);
  }

  /** W13: whatever has ended the run, by a client that works. */
  @Test
  void givesTheDayBack() {
    MemoryStore store = dayOf("a");
    store.before =
        (operation, key) -> {
          assertEquals("put 2024/02/08/_claim.json", store.requests.getFirst());
          stallOn(key, "a");
        };
    Handler handler = new Handler(ENV, config -> store);
    assertEquals("OUT_OF_TIME: 0 sources read", error(handler, 1_000));
    assertEquals("delete 2024/02/08/_claim.json", store.requests.getLast());
    assertEquals(Set.of(), store.bucket(Runs.DESTINATION).keySet());
    store.before = (operation, key) -> {};
    assertEquals(3, handle(handler, 60_000).bytes());
    assertEquals("delete 2024/02/08/_claim.json", store.requests.getLast());
  }

  /** W13: a release that hangs costs the claim, but not the outcome. */
  @Test
  void doesNotWaitForTheReleaseForEver() {
    MemoryStore store = dayOf("a");
    store.beforeDelete = key -> stallOn(key.replace("2024/02/08/_claim.json", FOLDER + "a"), "a");
    assertEquals(3, handle(new Handler(ENV, config -> store), 2_000).bytes());
    assertTrue(store.bucket(Runs.DESTINATION).containsKey("2024/02/08/_claim.json"));
  }

  private static MemoryStore dayOf(String... names) {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.DESTINATION);
    for (String name : names) {
      store.with(Runs.SOURCE, FOLDER + name, "{\"Records\":[{}]}");
    }
    return store;
  }

  /** Until the run gives up and interrupts the request. */
  private static void stallOn(String key, String name) {
    if (key.equals(FOLDER + name)) {
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new FailedAttempt(e);
      }
    }
  }
}
