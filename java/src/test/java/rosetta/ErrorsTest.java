package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ErrorsTest {
  @Test
  void escapesControlCharactersInKeys() {
    assertEquals(
        "S3_ERROR: get a\\u000a\\u0000\\u007f\\u009f\u00a0\u2028 \\",
        Errors.ofRequest("get", "a\n\0\u007f\u009f\u00a0\u2028 \\", null).getMessage());
  }

  @Test
  void tellsSourcesFromRuns() {
    assertTrue(Errors.Code.MISSING.isOfSource());
    assertTrue(Errors.Code.NO_RECORDS.isOfSource());
    assertFalse(Errors.Code.INTERNAL.isOfSource());
  }
}
