package rosetta;

import com.code_intelligence.jazzer.junit.FuzzTest;

/**
 * Jazzer's bodies, guided by coverage, against {@link Oracle}. Fuzzes with {@code JAZZER_FUZZ=1},
 * one method at a time; else each body that a former fuzzing kept is checked once.
 */
class GuidedFuzzTest {
  @FuzzTest(maxDuration = "2m")
  void split(byte[] text) {
    rosetta.FuzzTest.checkSplit(text);
  }

  @FuzzTest(maxDuration = "2m")
  void inflate(byte[] body) {
    rosetta.FuzzTest.checkInflate(body);
  }
}
