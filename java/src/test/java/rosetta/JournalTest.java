package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class JournalTest {
  private record Fields(String key, String code) {}

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private List<String> lines() {
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  @Test
  void writesOneLineAnEvent() {
    Journal journal = new Journal("id", Journal.Level.WARN, out);
    journal.log(Journal.Level.INFO, "start", new Fields("b", null));
    journal.log(Journal.Level.WARN, "bad_source", new Fields("a\n\u2028", null));
    assertEquals(
        List.of(
            "{\"level\":\"WARN\",\"event\":\"bad_source\",\"request_id\":\"id\","
                + "\"key\":\"a\\n\\u2028\",\"code\":null}"),
        lines());
  }

  @Test
  void endsWithTheSums() throws InterruptedException {
    Journal journal = new Journal("id", Journal.Level.INFO, out);
    journal.timed(Journal.Phase.GET, () -> "body");
    journal.count(Journal.Phase.GET, 1_500_000);
    journal.count(Journal.Phase.PUT, 2_000_000);
    journal.waiting(
        () -> {
          Thread.sleep(7);
          return null;
        });
    IllegalStateException fault = new IllegalStateException("cause");
    journal.end(new Errors.RunFailure(Errors.Code.INTERNAL, "see the log", fault));
    journal.log(
        Journal.Level.WARN, "retry", new Fields("a", null)); // of a request that was given up
    assertEquals(1, lines().size());
    String end = lines().getFirst();
    String head =
        "{\"level\":\"ERROR\",\"event\":\"end\",\"request_id\":\"id\","
            + "\"error\":\"INTERNAL: see the log\","
            + "\"cause\":\"java.lang.IllegalStateException: cause\","
            + "\"result\":null,\"phases\":{\"list\":{\"count\":0,\"sum_ms\":0.0},"
            + "\"get\":{\"count\":2,";
    assertEquals(head, end.substring(0, head.length()));
    String tail = "\"publish\":{\"count\":0,\"sum_ms\":0.0}},\"wait_ms\":";
    int waitMs = end.indexOf(tail) + tail.length();
    assertTrue(Integer.parseInt(end.substring(waitMs, end.length() - 1)) >= 7, end);
  }
}
