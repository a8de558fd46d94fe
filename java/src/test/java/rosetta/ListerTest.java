package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import rosetta.Errors.RunFailure;

class ListerTest {
  private static final String A = "AWSLogs/111122223333/CloudTrail/";
  private static final String B = "AWSLogs/o-abc/444455556666/CloudTrail/";

  private final ExecutorService tasks = Executors.newVirtualThreadPerTaskExecutor();
  private final MemoryStore store = new MemoryStore(2);

  @AfterEach
  void stop() {
    tasks.shutdownNow();
  }

  private Lister lister(String account) {
    return new Lister(
        store, Runs.config(), new Trigger.Day(LocalDate.of(2024, 2, 8), account, false), tasks);
  }

  private List<String> keys(String account) throws Exception {
    Lister lister = lister(account);
    List<String> keys = new ArrayList<>();
    for (List<Store.Entry> page = lister.nextPage(); page != null; page = lister.nextPage()) {
      page.forEach(entry -> keys.add(entry.key()));
      lister.pageConsumed();
    }
    return keys;
  }

  private void stage(String... keys) {
    for (String key : keys) {
      store.with(Runs.SOURCE, key, "x");
    }
  }

  @Test
  void findsBothLayoutsAndSkipsNeighbours() throws Exception {
    stage(
        A + "eu-west-1/2024/02/08/b",
        A + "eu-west-1/2024/02/08/",
        A + "eu-west-1/2024/02/08/deep/a",
        A + "eu-west-1/2024/02/09/a",
        B + "moon/2024/02/08/a",
        "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/a",
        "AWSLogs/11112222333/CloudTrail/eu-west-1/2024/02/08/a",
        "AWSLogs/o-ABC/444455556666/CloudTrail/eu-west-1/2024/02/08/a");
    assertEquals(
        List.of(
            A + "eu-west-1/2024/02/08/b",
            A + "eu-west-1/2024/02/08/deep/a",
            B + "moon/2024/02/08/a"),
        keys(null));
    assertEquals(List.of(B + "moon/2024/02/08/a"), keys("444455556666"));
  }

  @Test
  void ordersByUtf8Bytes() throws Exception {
    stage(A + "\uD83D\uDE00/2024/02/08/a", A + "\uFF21/2024/02/08/a"); // UTF-16 has them reversed
    assertEquals(List.of(A + "\uFF21/2024/02/08/a", A + "\uD83D\uDE00/2024/02/08/a"), keys(null));
  }

  @Test
  void listsTheFoldersOfALevelSideBySide() throws Exception {
    List<String> trails = new ArrayList<>();
    for (int account = 1; account <= 3; account++) {
      String trail = "AWSLogs/00000000000" + account + "/CloudTrail/";
      stage(trail + "r/2024/02/08/a");
      trails.add("list " + trail);
    }
    CountDownLatch together = new CountDownLatch(trails.size());
    store.before =
        (operation, prefix) -> {
          if (prefix.endsWith("/CloudTrail/")) {
            together.countDown();
            assertTrue(awaits(together), "three accounts are listed at the same time");
          }
        };
    assertEquals(3, keys(null).size());
    List<String> folders = new ArrayList<>(store.requests);
    folders.removeIf(request -> request.endsWith("/2024/02/08/"));
    folders.sort(null);
    List<String> expected = new ArrayList<>(List.of("list AWSLogs/", "list AWSLogs/")); // two pages
    expected.addAll(trails);
    assertEquals(expected, folders);
  }

  private static boolean awaits(CountDownLatch latch) {
    try {
      return latch.await(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      return false;
    }
  }

  @Test
  void tellsAListingThatFailed() {
    stage(A + "r/2024/02/08/a");
    store.failing("list", A + "r/2024/02/08/", "AccessDenied");
    RunFailure e = assertThrows(RunFailure.class, () -> lister(null).nextPage());
    assertEquals("S3_ERROR: list " + A + "r/2024/02/08/ (AccessDenied)", e.getMessage());
  }

  @Test
  void tellsAWrongPrefixFromAnEmptyDay() throws Exception {
    stage("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/a");
    RunFailure e = assertThrows(RunFailure.class, () -> lister(null).nextPage());
    assertEquals("NO_TRAIL: AWSLogs/", e.getMessage());
    stage(A + "eu-west-1/2024/02/09/a");
    assertEquals(List.of(), keys(null));
  }
}
