package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CancellationException;
import java.util.zip.CRC32;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;

class InflaterTest {
  private static final byte[] HELLO = Vector.gzip("hello".getBytes(StandardCharsets.UTF_8));

  private static String inflate(byte[] body, int maxBytes) {
    Inflater.Text text = new Inflater(maxBytes).inflate(body);
    return new String(text.bytes(), 0, text.length(), StandardCharsets.UTF_8);
  }

  private static void assertFault(SourceCode code, byte[] body, int maxBytes) {
    assertEquals(code, assertThrows(BadSource.class, () -> inflate(body, maxBytes)).code());
  }

  private static byte[] join(byte[]... parts) {
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      joined.writeBytes(part);
    }
    return joined.toByteArray();
  }

  @Test
  void takesPlainAndGzippedBodiesOfSeveralMembers() {
    assertEquals("{}", inflate("{}".getBytes(StandardCharsets.UTF_8), 5));
    assertEquals("hellohello", inflate(join(HELLO, HELLO), 10));
    assertEquals("", inflate(Vector.gzip(new byte[0]), 1));
  }

  @Test
  void stopsAtTheLimit() {
    assertFault(SourceCode.TOO_LARGE, HELLO, 4);
    assertFault(SourceCode.TOO_LARGE, "hello".getBytes(StandardCharsets.UTF_8), 4);
    assertFault(SourceCode.TOO_LARGE, Vector.gzip(new byte[1 << 20]), (1 << 20) - 1);
    assertEquals(1 << 20, inflate(Vector.gzip(new byte[1 << 20]), 1 << 20).length());
  }

  @Test
  void seesTruncationAnywhere() {
    for (int length = 2; length < HELLO.length; length++) {
      assertFault(SourceCode.BAD_GZIP, Arrays.copyOf(HELLO, length), 100);
      assertFault(SourceCode.BAD_GZIP, join(HELLO, Arrays.copyOf(HELLO, length)), 100);
    }
  }

  @ParameterizedTest
  @CsvSource({"2,7", "3,32", "3,64", "3,128", "-8,1", "-1,1"})
  void seesDamage(int position, int change) {
    byte[] body = HELLO.clone();
    body[Math.floorMod(position, body.length)] ^= (byte) change;
    assertFault(SourceCode.BAD_GZIP, body, 100);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 0x1f, 'x', '\n'})
  void seesTrailingBytes(int trailing) {
    assertFault(SourceCode.BAD_GZIP, join(HELLO, new byte[] {(byte) trailing}), 100);
  }

  @Test
  void checksTheOptionalHeader() {
    byte[] fields = {
      0x1f, (byte) 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 1, 0, 'x', 'n', 0, 'c', 0
    };
    CRC32 crc = new CRC32();
    crc.update(fields);
    byte[] check = {(byte) crc.getValue(), (byte) (crc.getValue() >> 8)};
    byte[] rest = Arrays.copyOfRange(HELLO, 10, HELLO.length);
    assertEquals("hello", inflate(join(fields, check, rest), 5));
    check[0] ^= 1;
    assertFault(SourceCode.BAD_GZIP, join(fields, check, rest), 5);
  }

  /** In a JVM of its own, whose heap is too small for one of the sources. */
  @Test
  void outlivesAFailedAllocation() throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx32m",
                "-cp",
                System.getProperty("java.class.path"),
                FailedAllocation.class.getName())
            .redirectErrorStream(true)
            .start();
    String told = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals("out of memory, then 5 bytes", told);
  }

  static final class FailedAllocation {
    private FailedAllocation() {}

    public static void main(String[] none) throws IOException {
      ByteArrayOutputStream large = new ByteArrayOutputStream();
      try (GZIPOutputStream gzip = new GZIPOutputStream(large)) {
        for (int mib = 0; mib < 64; mib++) {
          gzip.write(new byte[1 << 20]);
        }
      }
      Inflater inflater = new Inflater(128 << 20);
      try {
        inflater.inflate(large.toByteArray());
      } catch (OutOfMemoryError e) {
        System.out.print("out of memory, then ");
      }
      System.out.print(inflater.inflate(HELLO).length() + " bytes");
    }
  }

  /** E6: also in the middle of a source. */
  @Test
  void endsWithTheRun() {
    Inflater inflater = new Inflater(1 << 20);
    try {
      Thread.currentThread().interrupt();
      assertThrows(CancellationException.class, () -> inflater.inflate(HELLO));
    } finally {
      assertTrue(Thread.interrupted()); // and cleared for the next test
    }
  }

  @Test
  void servesManySources() {
    Inflater inflater = new Inflater(1 << 20);
    for (int size : new int[] {5, 1 << 20, 70_000, 0}) {
      byte[] text = new byte[size];
      Arrays.fill(text, (byte) 'a');
      assertEquals(size, inflater.inflate(Vector.gzip(text)).length());
    }
  }
}
