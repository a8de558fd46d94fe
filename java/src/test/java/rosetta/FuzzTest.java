package rosetta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;

/**
 * Bodies grown from small pieces and then damaged, against {@link Oracle}. {@code -Dfuzz.seconds}
 * looks for longer, {@code -Dfuzz.seed} elsewhere.
 */
class FuzzTest {
  private static final long SECONDS = Long.getLong("fuzz.seconds", 1);
  private static final long SEED = Long.getLong("fuzz.seed", 1);
  private static final int LIMIT = 300;
  private static final Inflater INFLATER = new Inflater(LIMIT); // of many sources, as in a run
  private static final Splitter SPLITTER = new Splitter();
  private static final List<String> TEXTS =
      List.of(
          "{\"Records\":[{}]}",
          "{\"x\":[{}],\"\\u0052ecords\" : [\r\n{\"a\":1.50e+1,\r\n "
              + "\"\\ud800\":\"\u00e9\"} ,{\t}]}\n",
          "{\"Records\":[{\"a\":[true,false,null,-0.1E-2,\"\\\\\\\"\\/\\b\uD83D\uDE00\"]}],"
              + "\"Records\":[]}",
          "{\"Records\":[1,[],\"\"]}",
          "{\"Records\":{},\"records\":[]}");
  private static final List<String> PIECES =
      List.of(
          "{",
          "}",
          "[",
          "]",
          "{}",
          "[]",
          ",",
          ":",
          "\"",
          "\\",
          "\\u0052",
          "\\ud83d",
          "\"Records\"",
          "\"Records\":[{}]",
          "\"a\":",
          "0",
          "-",
          "1e5",
          ".",
          "true",
          "null",
          "\r\n",
          " ",
          "\t",
          "\u007f",
          "\u0000",
          "\ufeff",
          "\u2028",
          "NaN",
          "//",
          "[".repeat(499),
          "]".repeat(499));
  private static final List<String> HEX_PIECES =
      List.of("c080", "eda080", "f4908080", "ff", "80", "e282", "efbbbf", "00", "0d", "0a");

  private final Random random = new Random(SEED);

  @Test
  void splitsAsTheOracle() {
    repeat("splitter", () -> checkSplit(damaged(sample())));
  }

  @Test
  void inflatesAsTheOracle() {
    repeat("inflater", () -> checkInflate(body()));
  }

  private static void repeat(String step, Runnable oneCase) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    long cases = 0;
    do {
      oneCase.run();
      cases++;
    } while (System.nanoTime() < end);
    System.err.println(step + ": " + cases + " cases");
  }

  private byte[] sample() {
    return TEXTS.get(random.nextInt(TEXTS.size())).getBytes(StandardCharsets.UTF_8);
  }

  /** Up to three members, each with the fields that a header may have. */
  private byte[] body() {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (int left = random.nextInt(3); left >= 0; left--) {
      byte[] gzip =
          Vector.gzip(random.nextBoolean() ? sample() : new byte[random.nextInt(LIMIT + 2)]);
      int flags = random.nextInt(4) == 0 ? random.nextInt(32) : 0;
      gzip[3] = (byte) flags;
      ByteArrayOutputStream header = new ByteArrayOutputStream();
      header.write(gzip, 0, 10);
      if ((flags & 4) != 0) {
        header.writeBytes(new byte[] {2, 0, 'x', 0});
      }
      if ((flags & 8) != 0) {
        header.writeBytes(new byte[] {'n', 0});
      }
      if ((flags & 16) != 0) {
        header.writeBytes(new byte[] {'c', 0});
      }
      if ((flags & 2) != 0) {
        CRC32 crc = new CRC32();
        crc.update(header.toByteArray());
        header.write((int) crc.getValue());
        header.write((int) (crc.getValue() >> 8));
      }
      body.writeBytes(header.toByteArray());
      body.write(gzip, 10, gzip.length - 10);
    }
    return random.nextInt(4) == 0 ? body.toByteArray() : damaged(body.toByteArray());
  }

  private byte[] damaged(byte[] whole) {
    byte[] bytes = whole;
    for (int left = random.nextInt(4); left >= 0; left--) {
      int from = random.nextInt(bytes.length + 1);
      int to = random.nextBoolean() ? from : Math.min(bytes.length, from + random.nextInt(6));
      ByteArrayOutputStream changed = new ByteArrayOutputStream();
      changed.write(bytes, 0, from);
      switch (random.nextInt(5)) {
        case 0 -> changed.write(random.nextInt(256));
        case 1 -> changed.writeBytes(hexPiece());
        case 2 -> changed.writeBytes(Arrays.copyOfRange(bytes, random.nextInt(from + 1), from));
        case 3 -> {}
        default ->
            changed.writeBytes(
                PIECES.get(random.nextInt(PIECES.size())).getBytes(StandardCharsets.UTF_8));
      }
      changed.write(bytes, to, bytes.length - to);
      bytes = changed.toByteArray();
    }
    return bytes;
  }

  private byte[] hexPiece() {
    return HexFormat.of().parseHex(HEX_PIECES.get(random.nextInt(HEX_PIECES.size())));
  }

  static void checkSplit(byte[] text) {
    String expected = Oracle.split(text);
    String found;
    try {
      Splitter.Records records = SPLITTER.split(new Inflater.Text(text.clone(), text.length));
      found = new String(Arrays.copyOf(records.lines(), records.length()), StandardCharsets.UTF_8);
    } catch (BadSource e) {
      found = e.code().name();
    }
    assertEquals(expected, found, () -> HexFormat.of().formatHex(text));
  }

  static void checkInflate(byte[] body) {
    Oracle.Inflated expected = Oracle.inflate(body, LIMIT);
    SourceCode code = null;
    byte[] found = null;
    try {
      Inflater.Text text = INFLATER.inflate(body.clone());
      found = Arrays.copyOf(text.bytes(), text.length());
    } catch (BadSource e) {
      code = e.code();
    }
    String hex = HexFormat.of().formatHex(body);
    if (expected.text().length > LIMIT) {
      assertNotNull(code, hex); // which of two faults is open
      assertTrue(code == SourceCode.TOO_LARGE || code == SourceCode.BAD_GZIP, hex);
    } else if (expected.sound()) {
      assertArrayEquals(expected.text(), found, hex);
    } else {
      assertEquals(SourceCode.BAD_GZIP, code, hex);
    }
  }
}
