package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import rosetta.Errors.SourceCode;

class ErrorsTest {
  @Test
  void escapesControlCharactersInKeys() {
    assertEquals(
        "S3_ERROR: get a\\u000a\\u0000\\u007f\\u009f\u00a0\u2028 \\",
        Errors.ofRequest("get", "a\n\0\u007f\u009f\u00a0\u2028 \\", "", null).getMessage());
  }

  @Test
  void namesTheFirstTenBadSources() {
    Errors.BadSources bad = new Errors.BadSources(Runs.journal());
    bad.add("a\n", SourceCode.BAD_GZIP);
    assertEquals("BAD_SOURCES: 1 of 3: a\\u000a (BAD_GZIP)", bad.failure(3).getMessage());
    for (int n = 0; n < 11; n++) {
      bad.add("b" + n, SourceCode.BAD_JSON);
    }
    String message = bad.failure(340).getMessage();
    assertTrue(message.startsWith("BAD_SOURCES: 12 of 340: a\\u000a (BAD_GZIP), b0 (BAD_JSON), "));
    assertTrue(message.endsWith("b8 (BAD_JSON), and 2 more"), message);
  }
}
