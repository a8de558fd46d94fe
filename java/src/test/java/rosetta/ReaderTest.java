package rosetta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReaderTest {
  private static final String DAY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/";

  private final ExecutorService tasks = Executors.newVirtualThreadPerTaskExecutor();
  private final MemoryStore store = new MemoryStore();

  @AfterEach
  void stop() {
    tasks.shutdownNow();
  }

  private Reader reader(Config config) {
    Deadline deadline = new Deadline(60_000);
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), false, null);
    Lister lister = new Lister(store, config, day, tasks, deadline);
    return new Reader(store, config, lister, tasks, deadline);
  }

  @Test
  void givesBodiesInTheOrderOfKeys() {
    for (int n = 10; n < 40; n++) {
      store.with(Runs.SOURCE, DAY + n, "body " + n);
    }
    Reader reader = reader(Runs.config("CONCURRENCY", "4"));
    for (int n = 10; n < 40; n++) {
      assertEquals(DAY + n, reader.next());
      assertArrayEquals(("body " + n).getBytes(StandardCharsets.UTF_8), reader.body());
    }
    assertNull(reader.next());
  }

  @Test
  void fetchesNoMoreThanTheWindowAhead() {
    for (int n = 10; n < 40; n++) {
      store.with(Runs.SOURCE, DAY + n, "body");
    }
    Reader reader = reader(Runs.config("CONCURRENCY", "4"));
    reader.next();
    Runs.quiesce(tasks);
    assertEquals(4, store.requests.stream().filter(request -> request.startsWith("get")).count());
  }

  @Test
  void tellsMissingAndTooLargeSources() {
    store.with(Runs.SOURCE, DAY + "a", "12345678").with(Runs.SOURCE, DAY + "b", "1");
    store.failing("get", DAY + "b", "NoSuchKey");
    Reader reader = reader(Runs.config("MAX_SOURCE_BYTES", "7"));
    reader.next();
    assertEquals(
        Errors.Code.TOO_LARGE, assertThrows(AggregationException.class, reader::body).code());
    reader.next();
    assertEquals(
        Errors.Code.MISSING, assertThrows(AggregationException.class, reader::body).code());
    assertEquals(1, store.requests.stream().filter(request -> request.startsWith("get")).count());
  }
}
