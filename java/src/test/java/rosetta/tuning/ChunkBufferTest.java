package rosetta.tuning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ChunkBufferTest {
  private static final int PIECE = 1 << 18;

  @Test
  void givesWhatWasWrittenAsOftenAsItIsOpened() throws IOException {
    ChunkBuffer buffer = new ChunkBuffer();
    byte[] bytes = new byte[3 * PIECE];
    new Random(1).nextBytes(bytes);
    // across pieces, to the border, less than before
    for (int length : new int[] {2 * PIECE + 1, PIECE, 3 * PIECE, 1, 0}) {
      buffer.reset();
      for (int from = 0; from < length; from += 70_000) {
        buffer.write(bytes, from, Math.min(70_000, length - from));
      }
      assertEquals(length, buffer.length());
      for (int attempt = 0; attempt < 2; attempt++) {
        assertArrayEquals(Arrays.copyOf(bytes, length), buffer.open().readAllBytes());
      }
    }
  }

  @Test
  void takesSingleBytes() throws IOException {
    ChunkBuffer buffer = new ChunkBuffer();
    buffer.write(1);
    buffer.write(255);
    assertArrayEquals(new byte[] {1, (byte) 255}, buffer.open().readAllBytes());
  }
}
