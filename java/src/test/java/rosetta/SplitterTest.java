package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;

class SplitterTest {
  private static String split(byte[] text) {
    Splitter.Records records = new Splitter().split(new Inflater.Text(text, text.length));
    String lines = new String(records.lines(), 0, records.length(), StandardCharsets.UTF_8);
    assertEquals(lines.lines().count(), records.count());
    return lines;
  }

  private static String split(String text) {
    return split(text.getBytes(StandardCharsets.UTF_8));
  }

  private static void assertFault(SourceCode code, byte[] text) {
    assertEquals(code, assertThrows(BadSource.class, () -> split(text)).code());
  }

  private static void assertFault(SourceCode code, String text) {
    assertFault(code, text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void keepsTheTextOfRecords() {
    assertEquals(
        "{\"a\":1.50e+1, \"\\u00e9\\ud800\":\"\u00e9\",\"a\":[ ]}\n{\t}\n",
        split(
            "{\"x\":[{}],\"\\u0052ecords\" : [\r\n{\"a\":1.50e+1,\r\n "
                + "\"\\u00e9\\ud800\":\"\u00e9\",\"a\":[ ]} ,{\t}]}\n"));
    assertEquals("", split("{\"Records\":[]}"));
    assertEquals("{}\n{}\n", split("{\"Records\":[{},{}],\"y\":{\"Records\":1}}"));
  }

  @Test
  void takesNumbersOfAnyLength() {
    String number = "-1" + "0".repeat(5000) + "." + "1".repeat(5000) + "e" + "9".repeat(2000);
    assertEquals("{\"n\":" + number + "}\n", split("{\"Records\":[{\"n\":" + number + "}]}"));
  }

  @Test
  void takesManyDistinctNames() {
    StringBuilder names = new StringBuilder("{\"Records\":[{\"n\":0");
    for (int n = 0; n < 50_000; n++) {
      names.append(",\"").append(n).append("\":0");
    }
    assertEquals(1, split(names + "}]}").lines().count());
  }

  @Test
  void countsTheDepth() {
    String deep = "[".repeat(497) + "]".repeat(497); // in the record, in Records, in the file
    assertEquals("{\"a\":" + deep + "}\n", split("{\"Records\":[{\"a\":" + deep + "}]}"));
    assertFault(SourceCode.BAD_JSON, "{\"Records\":[{\"a\":[" + deep + "]}]}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "[]",
        "1",
        "{",
        "{}}",
        "{} {}",
        "{\"a\":1,}",
        "{\"a\":[1,]}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":-Infinity}",
        "{\"a\":0x1}",
        "{\"a\":-01}",
        "{\"a\":1 2}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":True}",
        "{'a':1}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1}//c",
        "{/**/}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\u0000\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"\\q\":1}",
        "{\f}",
        "{\u00a0}",
        "{}\u0000",
        "\ufeff{}",
        "{\"a\":[}",
        "{\"Records\":[{}]",
        "{\"a\":\"b}"
      })
  void refusesWhatIsNoJson(String text) {
    assertFault(SourceCode.BAD_JSON, text);
    if (text.startsWith("{\"a\"")) {
      assertFault(SourceCode.BAD_JSON, "{\"Records\":[{}," + text + "]}");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "c080",
        "c1bf",
        "e08080",
        "eda080",
        "f4908080",
        "f08080af",
        "ff",
        "80",
        "c3",
        "e282"
      })
  void refusesWhatIsNoUtf8(String hex) {
    String before =
        HexFormat.of().formatHex("{\"Records\":[{\"a\":\"".getBytes(StandardCharsets.UTF_8));
    String after = HexFormat.of().formatHex("\"}]}".getBytes(StandardCharsets.UTF_8));
    assertFault(SourceCode.BAD_JSON, HexFormat.of().parseHex(before + hex + after));
  }

  @Test
  void refusesUtf16() {
    assertFault(SourceCode.BAD_JSON, "{\"Records\":[]}".getBytes(StandardCharsets.UTF_16LE));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"records\":[]}",
        "{\"a\":{\"Records\":[]}}",
        "{\"Records\":{\"a\":[1]}}",
        "{\"Records\":null}",
        "{\"Records\":[1]}",
        "{\"Records\":[{},[]]}",
        "{\"Records\":[{},null,{}]}",
        "{\"Records\":[],\"Records\":[]}",
        "{\"Records\":[{}],\"R\\u0065cords\":[{}]}",
        "{\"Records\":1,\"Records\":[{}]}"
      })
  void refusesWhatHasNoRecords(String text) {
    assertFault(SourceCode.NO_RECORDS, text);
    assertFault(SourceCode.BAD_JSON, text + "x"); // the first clause counts
  }

  /** E6: also in the middle of a source. */
  @Test
  void endsWithTheRun() {
    byte[] text = "{\"Records\":[{}]}".getBytes(StandardCharsets.UTF_8);
    Thread.currentThread().interrupt();
    try {
      assertThrows(
          CancellationException.class,
          () -> new Splitter().split(new Inflater.Text(text, text.length)));
    } finally {
      Thread.interrupted(); // cleared for the next test
    }
  }
}
