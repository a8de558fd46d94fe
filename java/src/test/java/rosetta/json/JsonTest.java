package rosetta.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @Test
  void readsAndWritesAllKindsOfValues() throws IOException {
    Map<String, Object> value = new LinkedHashMap<>();
    value.put("b", List.of(1.5, "x\n\u00e9"));
    value.put("a", Arrays.asList(true, false, null));
    String text = "{\"b\":[1.5,\"x\\n\\u00E9\"],\"a\":[true,false,null]}";
    assertEquals(text, Json.write(value));
    assertEquals(value, Json.parse(text.getBytes(StandardCharsets.UTF_8)));
  }

  private record Inner(long waitMs) {}

  private record Outer(String name, List<Inner> inner) {}

  @Test
  void writesRecords() {
    assertEquals(
        "{\"name\":null,\"inner\":[{\"wait_ms\":7}]}",
        Json.write(new Outer(null, List.of(new Inner(7)))));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "{", "{} {}", "{}x", "[1,]", "01", "\ufeff{}", "{'a':1}"})
  void refusesWhatIsNoDocument(String text) {
    assertThrows(IOException.class, () -> Json.parse(text.getBytes(StandardCharsets.UTF_8)));
  }
}
