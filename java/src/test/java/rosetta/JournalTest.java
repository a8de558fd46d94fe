package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JournalTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private List<String> lines() {
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  @Test
  void writesOneLineAnEvent() {
    Journal journal = new Journal("id", Journal.Level.WARN, out);
    journal.log(Journal.Level.INFO, "start", Map.of());
    journal.log(Journal.Level.WARN, "bad_source", Json.object("key", "a\n\u2028", "code", null));
    assertEquals(
        List.of(
            "{\"level\":\"WARN\",\"event\":\"bad_source\",\"request_id\":\"id\",\"key\":\"a\\n\\u2028\",\"code\":null}"),
        lines());
  }

  @Test
  void endsWithTheSums() {
    Journal journal = new Journal("id", Journal.Level.INFO, out);
    journal.timed(Journal.Phase.GET, () -> "body");
    journal.count(Journal.Phase.GET, 1_500_000);
    journal.count(Journal.Phase.PUT, 2_000_000);
    journal.end("INTERNAL: see the log", "cause", null, 7);
    journal.log(Journal.Level.WARN, "retry", Map.of()); // of a request that was given up
    assertEquals(1, lines().size());
    String end = lines().getFirst();
    String head =
        "{\"level\":\"ERROR\",\"event\":\"end\",\"request_id\":\"id\",\"error\":\"INTERNAL: see the log\","
            + "\"cause\":\"cause\",\"result\":null,\"phases\":{\"list\":{\"count\":0,\"sum_ms\":0.0},\"get\":{\"count\":2,";
    assertEquals(head, end.substring(0, head.length()));
    assertEquals(
        "\"publish\":{\"count\":0,\"sum_ms\":0.0}},\"wait_ms\":7}",
        end.substring(end.indexOf("\"publish")));
  }
}
