// Tuning: the memory of a chunk's compressed bytes. SPEC P5. Skip on first reading.
// The plain version is a ByteArrayOutputStream, which copies as it grows and then holds a chunk
// up to three times: the peak memory of 20,000 sources is 1.19 times as high with it
// (docs/performance/java.md).
package rosetta.tuning;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import rosetta.Store;

/**
 * Keeps its memory when it is emptied. One array that grew by copying would at times need three
 * times a chunk's size, and leave what it outgrew where it is collected last.
 */
public final class ChunkBuffer extends OutputStream implements Store.Content {
  private static final int PIECE_BYTES = 1 << 18;

  private final List<byte[]> pieces = new ArrayList<>();
  private int length;

  @Override
  public void write(int b) {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] from, int offset, int count) {
    for (int done = 0; done < count; ) {
      int at = length % PIECE_BYTES;
      if (length == pieces.size() * PIECE_BYTES) {
        pieces.add(new byte[PIECE_BYTES]);
      }
      int fits = Math.min(count - done, PIECE_BYTES - at);
      System.arraycopy(from, offset + done, pieces.get(length / PIECE_BYTES), at, fits);
      length += fits;
      done += fits;
    }
  }

  public void reset() {
    length = 0;
  }

  @Override
  public int length() {
    return length;
  }

  /** From the first byte on; good until the next reset. */
  @Override
  public InputStream open() {
    List<InputStream> streams = new ArrayList<>();
    for (int from = 0; from < length; from += PIECE_BYTES) {
      int count = Math.min(PIECE_BYTES, length - from);
      streams.add(new ByteArrayInputStream(pieces.get(from / PIECE_BYTES), 0, count));
    }
    return new SequenceInputStream(Collections.enumeration(streams));
  }
}
