package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.RunFailure;

class PublisherTest {
  private static final String P = "2024/02/08/";
  private static final String HIDDEN = P + "_id-";
  private static final List<Writer.Chunk> TWO =
      List.of(
          new Writer.Chunk(HIDDEN + "000001.ndjson.gz", 3, 30),
          new Writer.Chunk(HIDDEN + "000002.ndjson.gz", 1, 10));

  private final MemoryStore store = new MemoryStore(2);

  private Publisher.Result publish(boolean force, long sources, long bad)
      throws InterruptedException {
    store.with(Runs.DESTINATION, TWO.get(0).hiddenKey(), "one");
    store.with(Runs.DESTINATION, TWO.get(1).hiddenKey(), "two");
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, force);
    Publisher publisher = new Publisher(store, Runs.config(), day, Runs.work());
    publisher.checkPublished(sources - bad);
    return publisher.publish(TWO, sources, bad);
  }

  private PublisherTest published(String manifest) {
    store.with(Runs.DESTINATION, P + "_manifest.json", manifest);
    return this;
  }

  @Test
  void goesThroughTheStepsInOrder() throws Exception {
    String[] old = {"000002", "000003", "1000000", "12345678901234567890", "_dead-run-000001"};
    for (String name : old) {
      store.with(Runs.DESTINATION, P + name + ".ndjson.gz", "old");
    }
    Publisher.Result result = publish(false, 5, 1);
    assertEquals(3, result.deleted());
    assertEquals(4, result.records());
    List<String> writes = new ArrayList<>(store.requests);
    writes.removeIf(request -> request.startsWith("list"));
    writes.subList(3, 6).sort(null); // side by side
    writes.subList(7, 10).sort(null);
    assertEquals(
        List.of(
            "get " + P + "_manifest.json",
            "copy " + P + "000001.ndjson.gz", // a new number; then one that replaces
            "copy " + P + "000002.ndjson.gz",
            "delete " + P + "000003.ndjson.gz",
            "delete " + P + "1000000.ndjson.gz",
            "delete " + P + "12345678901234567890.ndjson.gz",
            "put " + P + "_manifest.json",
            "delete " + P + "_dead-run-000001.ndjson.gz",
            "delete " + P + "_id-000001.ndjson.gz",
            "delete " + P + "_id-000002.ndjson.gz"),
        writes);
    assertEquals(
        "{\"result\":{\"day\":\"2024-02-08\",\"sources\":5,\"bad\":1,\"records\":4,\"bytes\":40,"
            + "\"chunks\":2,\"deleted\":3},\"chunks\":["
            + "{\"key\":\"2024/02/08/000001.ndjson.gz\",\"records\":3,\"bytes\":30},"
            + "{\"key\":\"2024/02/08/000002.ndjson.gz\",\"records\":1,\"bytes\":10}]}",
        new String(
            store.bucket(Runs.DESTINATION).get(P + "_manifest.json"), StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "_SUCCESS", "notes.txt", "_dead-0001.ndjson.gz", "_nodash000001.ndjson.gz",
            "0000009.ndjson.gz",
        "00009.ndjson.gz", "000009.ndjson", "x000009.ndjson.gz", "sub/000009.ndjson.gz",
            "000009.ndjson.gz\n"
      })
  void deletesNothingElse(String name) throws Exception {
    store.with(Runs.DESTINATION, P + name, "kept");
    assertEquals(0, publish(false, 1, 0).deleted());
    assertTrue(store.bucket(Runs.DESTINATION).containsKey(P + name));
  }

  @Test
  void refusesFewerSources() throws Exception {
    published("{\"result\":{\"sources\":10,\"bad\":2}}");
    RunFailure e = assertThrows(RunFailure.class, () -> publish(false, 9, 2));
    assertEquals("FEWER_SOURCES: published 8, readable 7", e.getMessage());
    assertEquals(List.of("get " + P + "_manifest.json"), store.requests);
    publish(false, 9, 1);
    published("{\"result\":{\"sources\":9007199254740992,\"bad\":0}}"); // 2^53
    e = assertThrows(RunFailure.class, () -> publish(false, 9, 2));
    assertEquals("FEWER_SOURCES: published 9007199254740992, readable 7", e.getMessage());
    published("{\"result\":{\"sources\":10,\"bad\":2}}").publish(true, 0, 0);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "{\"result\":{\"sources\":1}}",
        "{\"result\":{\"sources\":1.5,\"bad\":0}}",
        "{\"result\":{\"sources\":-1,\"bad\":0}}",
        "{\"result\":{\"sources\":1e22,\"bad\":0}}",
        "{\"result\":{\"sources\":1,\"bad\":9007199254740994}}",
        "{\"result\":{\"sources\":true,\"bad\":0}}",
        "{\"result\":{\"sources\":1,\"bad\":0}} x"
      })
  void refusesAnUnreadableManifest(String manifest) throws Exception {
    published(manifest);
    RunFailure e = assertThrows(RunFailure.class, () -> publish(false, 9, 0));
    assertEquals("BAD_MANIFEST: 2024/02/08/_manifest.json", e.getMessage());
    publish(true, 9, 0);
  }

  /** W4: the new numbers at once, before the one that replaces another. */
  @Test
  void copiesNewChunksSideBySide() throws Exception {
    store.with(Runs.DESTINATION, P + "000001.ndjson.gz", "old");
    List<Writer.Chunk> chunks = new ArrayList<>();
    for (int n = 1; n <= 4; n++) {
      String key = HIDDEN + "00000" + n + ".ndjson.gz";
      store.with(Runs.DESTINATION, key, "new");
      chunks.add(new Writer.Chunk(key, 1, 10));
    }
    CountDownLatch together = new CountDownLatch(3);
    store.before =
        (operation, key) -> {
          if (operation.equals("copy") && !key.endsWith("1.ndjson.gz")) {
            together.countDown();
            assertTrue(awaits(together), "the three new chunks are copied at the same time");
          } else if (operation.equals("copy")) {
            assertEquals(4, store.bucket(Runs.DESTINATION).subMap(P + "0", P + "1").size());
          }
        };
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, false);
    new Publisher(store, Runs.config(), day, Runs.work()).publish(chunks, 1, 0);
    assertEquals(4, store.requests.stream().filter(r -> r.startsWith("copy")).count());
  }

  private static boolean awaits(CountDownLatch latch) {
    try {
      return latch.await(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      return false;
    }
  }

  /** W4: the new numbers first; downwards where records move from one chunk to another. */
  @Test
  void replacesDownwards() throws Exception {
    store.with(Runs.DESTINATION, P + "000001.ndjson.gz", "old");
    store.with(Runs.DESTINATION, P + "000002.ndjson.gz", "old");
    publish(false, 1, 0);
    assertEquals(
        List.of("copy " + P + "000002.ndjson.gz", "copy " + P + "000001.ndjson.gz"),
        store.requests.stream().filter(request -> request.startsWith("copy")).toList());
  }
}
