package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HandlerTest {
  private static final Map<String, String> ENV =
      Map.of("SRC_BUCKET", Runs.SOURCE, "DST_BUCKET", Runs.DESTINATION, "AWS_REGION", "eu-west-1");
  private static final String EVENT = "{\"year\":2024,\"month\":2,\"day\":8}";

  private final ByteArrayOutputStream log = new ByteArrayOutputStream();

  private Map<String, Object> handle(Handler handler, long remainingMs) {
    return handler.handle(
        EVENT.getBytes(StandardCharsets.UTF_8), "id", new Deadline(remainingMs), log);
  }

  private String error(Handler handler, long remainingMs) {
    return assertThrows(AggregationException.class, () -> handle(handler, remainingMs))
        .getMessage();
  }

  @Test
  void aggregatesADay() {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.DESTINATION);
    String folder = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/";
    store.with(Runs.SOURCE, folder + "a", "{\"Records\":[{\"n\":1},{\"n\":2}]}");
    Map<String, Object> result =
        handle(new Handler(ENV, config -> (journal, onFailure) -> store), 60_000);
    assertEquals(
        "{\"day\":\"2024-02-08\",\"sources\":1,\"bad\":0,\"records\":2,\"bytes\":16,\"chunks\":1,\"deleted\":0}",
        Json.write(result));
    assertTrue(log.toString(StandardCharsets.UTF_8).lines().toList().getLast().contains("\"end\""));
  }

  @Test
  void reportsFaultsOfTheInitAtEachInvocation() {
    Handler handler = new Handler(Map.of(), config -> (journal, onFailure) -> new MemoryStore());
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
    Store.Opener broken =
        (journal, onFailure) -> {
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
    store.with(Runs.SOURCE, "AWSLogs/111122223333/CloudTrail/r/2024/02/08/a", "{\"Records\":[{}]}");
    String chunk = "2024/02/08/_id-000001.ndjson.gz";
    store.failing("put", chunk, "AccessDenied");
    Map<String, String> env = new HashMap<>(ENV);
    env.put("S3_CLIENT", client);
    Handler handler = new Handler(env, config -> (journal, onFailure) -> store);
    assertEquals("S3_ERROR: put " + chunk, error(handler, 60_000));
    store.failing("put", chunk, null);
    assertEquals(3L, handle(handler, 60_000).get("bytes"));
    assertEquals(3L, handle(handler, 60_000).get("bytes"));
  }

  @Test
  void givesUpInTime() {
    MemoryStore store = new MemoryStore();
    assertEquals(
        "OUT_OF_TIME: 0 sources read",
        error(new Handler(ENV, config -> (journal, onFailure) -> store), 0));
  }
}
