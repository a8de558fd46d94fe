package rosetta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import rosetta.Errors.BadSource;
import rosetta.Errors.RunFailure;
import rosetta.Errors.SourceCode;
import rosetta.json.Json;

class ReaderTest {
  private static final String DAY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/02/08/";

  private final ExecutorService tasks = Executors.newVirtualThreadPerTaskExecutor();
  private MemoryStore store = new MemoryStore();

  @AfterEach
  void stop() {
    tasks.shutdownNow();
  }

  private Reader reader(Config config) {
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, false);
    Lister lister = new Lister(store, config, day, tasks);
    return new Reader(store, config, lister, tasks, Runs.journal());
  }

  @Test
  void givesBodiesInTheOrderOfKeys() throws Exception {
    for (int n = 10; n < 40; n++) {
      store.with(Runs.SOURCE, DAY + n, "body " + n);
    }
    Reader reader = reader(Runs.config("CONCURRENCY", "4"));
    for (int n = 10; n < 40; n++) {
      Reader.Source source = reader.next();
      assertEquals(DAY + n, source.key());
      assertArrayEquals(("body " + n).getBytes(StandardCharsets.UTF_8), reader.body(source));
    }
    assertNull(reader.next());
  }

  /** O4: what the consumer waits, whatever the requests beside it. */
  @Test
  void countsTheWaits() throws Exception {
    store.with(Runs.SOURCE, DAY + "a", "body").with(Runs.SOURCE, DAY + "b", "body");
    store.before =
        (operation, key) -> {
          if (operation.equals("get")) {
            settle();
          }
        };
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Journal journal = new Journal("test-request", null, out);
    Config config = Runs.config("CONCURRENCY", "1");
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, false);
    Reader reader =
        new Reader(store, config, new Lister(store, config, day, tasks), tasks, journal);
    for (Reader.Source each = reader.next(); each != null; each = reader.next()) {
      reader.body(each);
    }
    journal.end((Record) null);
    Map<?, ?> end = (Map<?, ?>) Json.parse(out.toByteArray());
    double waited = (Double) end.get("wait_ms");
    assertTrue(waited >= 100, waited + " ms");
  }

  @Test
  void fetchesNoMoreThanTheWindowAhead() throws Exception {
    for (int n = 10; n < 40; n++) {
      store.with(Runs.SOURCE, DAY + n, "body");
    }
    Reader reader = reader(Runs.config("CONCURRENCY", "4"));
    reader.next();
    settleAt(4, this::gets);
    assertEquals(4, gets());
  }

  @Test
  void fetchesNoMoreThanSixtyFourMibAhead() throws Exception {
    byte[] half = new byte[30 << 20];
    byte[] whole = new byte[65 << 20];
    for (int n = 10; n < 20; n++) {
      store.bucket(Runs.SOURCE).put(DAY + n, n < 15 ? half : whole);
    }
    AtomicInteger fetched = new AtomicInteger();
    store.before = (operation, key) -> fetched.addAndGet(operation.equals("get") ? 1 : 0);
    Reader reader = reader(Runs.config());
    List<Integer> expected = List.of(2, 2, 2, 2, 1, 1, 1, 1, 1, 1);
    List<Integer> ahead = new ArrayList<>();
    for (int n = 0; reader.next() != null; n++) {
      settleAt(n + expected.get(n), fetched::get);
      ahead.add(fetched.get() - n);
    }
    assertEquals(expected, ahead);
  }

  /** SPEC P4: what is in the window was listed, too. Here a page is one source. */
  @ParameterizedTest
  @CsvSource({
    "64, 74, 1, 11", // a source per folder
    "4, 74, 1, 4", // few requests
    "64, 30, 3, 4", // several pages a folder
    "64, 1, 74, 11", // all pages in one folder
  })
  void listsTenPagesAheadWhileASourceStalls(
      String concurrency, int folders, int perFolder, int fetchedAtOnce) throws Exception {
    store = new MemoryStore(1);
    for (int folder = 0; folder < folders; folder++) {
      for (int n = 0; n < perFolder; n++) {
        store.with(Runs.SOURCE, day(100 + folder) + (10 + n), "body");
      }
    }
    AtomicInteger pages = new AtomicInteger();
    AtomicInteger consumers = new AtomicInteger(1);
    AtomicInteger mostAhead = new AtomicInteger();
    Semaphore fetching = new Semaphore(0);
    CountDownLatch proceed = new CountDownLatch(1);
    store.before =
        (operation, key) -> {
          if (operation.equals("get")) {
            fetching.release();
            await(proceed);
          } else if (key.endsWith("/2024/02/08/")) {
            int ahead = pages.incrementAndGet() - consumers.get();
            mostAhead.accumulateAndGet(ahead, Math::max);
          }
        };
    Reader reader = reader(Runs.config("CONCURRENCY", concurrency));
    Reader.Source source = reader.next();
    assertTrue(fetching.tryAcquire(fetchedAtOnce, 10, TimeUnit.SECONDS), "sources are fetched");
    settleAt(10, mostAhead::get);
    assertEquals(0, fetching.availablePermits());
    assertEquals(10, mostAhead.get());
    proceed.countDown();
    for (; source != null; source = reader.next()) {
      reader.body(source);
      consumers.incrementAndGet();
    }
    assertEquals(folders * perFolder, consumers.get() - 1);
    assertEquals(10, mostAhead.get());
  }

  @Test
  void listsFoldersWithoutSourcesNoFartherAhead() throws Exception {
    store.with(Runs.SOURCE, day(100) + "1", "body").with(Runs.SOURCE, day(199) + "1", "body");
    for (int folder = 101; folder < 199; folder++) {
      store.with(Runs.SOURCE, day(folder), "");
    }
    Reader reader = reader(Runs.config("CONCURRENCY", "4"));
    List<Long> expected = List.of(11L, 100L);
    List<Long> pages = new ArrayList<>();
    while (reader.next() != null) {
      settleAt(expected.get(pages.size()), this::pages);
      pages.add(pages());
    }
    assertEquals(expected, pages);
  }

  @Test
  void tellsAListingThatFailed() throws Exception {
    store.with(Runs.SOURCE, day(100) + "1", "body").with(Runs.SOURCE, day(101) + "1", "body");
    store.failing("list", day(101), "AccessDenied");
    Reader reader = reader(Runs.config());
    assertNotNull(reader.next());
    RunFailure e = assertThrows(RunFailure.class, reader::next);
    assertEquals("S3_ERROR: list " + day(101) + " (AccessDenied)", e.getMessage());
  }

  private long gets() {
    return List.copyOf(store.requests).stream().filter(each -> each.startsWith("get")).count();
  }

  private long pages() {
    return List.copyOf(store.requests).stream().filter(r -> r.endsWith("/2024/02/08/")).count();
  }

  private static String day(int folder) {
    return DAY.replace("eu-west-1", "r" + folder);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits until so many have come, and then for those that should not come. */
  private static void settleAt(long count, LongSupplier come) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    while (come.getAsLong() < count && System.nanoTime() < end) {
      Thread.sleep(1);
    }
    settle();
  }

  /** Time for what should not happen. */
  private static void settle() {
    try {
      Thread.sleep(100);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void tellsMissingAndTooLargeSources() throws Exception {
    store.with(Runs.SOURCE, DAY + "a", "12345678").with(Runs.SOURCE, DAY + "b", "1");
    store.failing("get", DAY + "b", "NoSuchKey");
    Reader reader = reader(Runs.config("MAX_SOURCE_BYTES", "7"));
    assertEquals(SourceCode.TOO_LARGE, fault(reader));
    assertEquals(SourceCode.MISSING, fault(reader));
    assertEquals(1, gets());
  }

  private static SourceCode fault(Reader reader) throws InterruptedException {
    Reader.Source source = reader.next();
    return assertThrows(BadSource.class, () -> reader.body(source)).code();
  }
}
