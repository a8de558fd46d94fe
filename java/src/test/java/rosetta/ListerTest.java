package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

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
        store,
        Runs.config(),
        new Trigger.Day(LocalDate.of(2024, 2, 8), false, account),
        tasks,
        new Deadline(60_000));
  }

  private List<String> keys(String account) {
    Lister lister = lister(account);
    List<String> keys = new ArrayList<>();
    while (lister.peek(true) != null) {
      keys.add(lister.take().key());
    }
    return keys;
  }

  private void stage(String... keys) {
    for (String key : keys) {
      store.with(Runs.SOURCE, key, "x");
    }
  }

  @Test
  void findsBothLayoutsAndSkipsNeighbours() {
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
  void ordersByUtf8Bytes() {
    stage(A + "\uD83D\uDE00/2024/02/08/a", A + "\uFF21/2024/02/08/a"); // UTF-16 has them reversed
    assertEquals(List.of(A + "\uFF21/2024/02/08/a", A + "\uD83D\uDE00/2024/02/08/a"), keys(null));
  }

  @Test
  void looksNoMoreThanTenPagesAhead() {
    for (int region = 0; region < 30; region++) {
      stage(A + "r" + region + "/2024/02/08/a");
    }
    Lister lister = lister(null);
    lister.peek(true);
    Runs.quiesce(tasks);
    long pages =
        store.requests.stream().filter(request -> request.endsWith("/2024/02/08/")).count();
    assertTrue(pages <= 11, pages + " pages");
  }

  @Test
  void tellsAWrongPrefixFromAnEmptyDay() {
    stage("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/02/08/a");
    AggregationException e = assertThrows(AggregationException.class, () -> lister(null));
    assertEquals("NO_TRAIL: AWSLogs/", e.getMessage());
    stage(A + "eu-west-1/2024/02/09/a");
    assertEquals(List.of(), keys(null));
  }
}
