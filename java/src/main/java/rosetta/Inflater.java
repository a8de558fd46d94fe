// Step: codec. SPEC R2 to R5: a body becomes the source's text.
// Holds one inflated body, in a buffer that serves all sources of the sandbox.
package rosetta;

import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;

/**
 * Gunzips, more strictly than {@link java.util.zip.GZIPInputStream}, which lets reserved flags and
 * trailing bytes pass, and with one reused {@link java.util.zip.Inflater}. Not safe for concurrent
 * use.
 */
final class Inflater {
  private static final int LEAST_BUFFER = 1 << 16;
  private static final int BEST_RATIO = 1032; // no deflate stream inflates to more
  private static final int TRAILER = 8;
  private static final int HEADER_CRC = 2;
  private static final int EXTRA = 4;
  private static final int NAME = 8;
  private static final int COMMENT = 16;
  private static final int RESERVED = 0xE0;

  /** The first {@code length} bytes are the text; they are good until the next body is inflated. */
  record Text(byte[] bytes, int length) {}

  private final int maxBytes;
  private final java.util.zip.Inflater codec = new java.util.zip.Inflater(true);
  private final CRC32 crc = new CRC32();
  private byte[] body;
  private byte[] text = new byte[0];
  private int length;

  Inflater(int maxBytes) {
    this.maxBytes = maxBytes;
  }

  /** The text of a gzipped or plain body; throws TOO_LARGE or BAD_GZIP. */
  Text inflate(byte[] stored) {
    if (stored.length < 2 || stored[0] != 0x1f || stored[1] != (byte) 0x8b) {
      if (stored.length > maxBytes) {
        throw Errors.ofSource(Errors.Code.TOO_LARGE, null);
      }
      return new Text(stored, stored.length);
    }
    body = stored;
    length = 0;
    reserve();
    try {
      int position = 0;
      while (position < body.length) {
        position = member(position);
      }
    } catch (DataFormatException | ArrayIndexOutOfBoundsException e) {
      throw Errors.ofSource(Errors.Code.BAD_GZIP, e); // damaged, or at an end too early
    } finally {
      body = null;
    }
    return new Text(text, length);
  }

  /** Inflates the member that begins at {@code start}; returns where it ends. */
  private int member(int start) throws DataFormatException {
    int data = header(start);
    int from = length;
    codec.reset();
    codec.setInput(body, data, body.length - data);
    while (!codec.finished()) {
      if (length == text.length) {
        text = Arrays.copyOf(text, (int) Math.min(text.length * 2L, maxBytes + 1L));
      }
      int inflated = codec.inflate(text, length, text.length - length);
      length += inflated;
      if (length > maxBytes) {
        throw Errors.ofSource(Errors.Code.TOO_LARGE, null);
      }
      require(inflated > 0 || codec.finished(), "truncated");
    }
    int trailer = body.length - codec.getRemaining();
    crc.reset();
    crc.update(text, from, length - from);
    require(littleEndian(trailer, 4) == crc.getValue(), "wrong CRC");
    require(littleEndian(trailer + 4, 4) == length - from, "wrong length");
    return trailer + TRAILER;
  }

  /** Checks a member's header (RFC 1952); returns where its data begin. */
  private int header(int start) throws DataFormatException {
    require(littleEndian(start, 2) == 0x8b1f, "no gzip member");
    require(body[start + 2] == 8, "unknown method");
    int flags = body[start + 3];
    require((flags & RESERVED) == 0, "reserved flag");
    int position = start + 10;
    if ((flags & EXTRA) != 0) {
      position += 2 + (int) littleEndian(position, 2);
    }
    for (int flag : new int[] {NAME, COMMENT}) {
      if ((flags & flag) != 0) {
        while (body[position++] != 0) {
          // skip the text up to its zero
        }
      }
    }
    if ((flags & HEADER_CRC) != 0) {
      crc.reset();
      crc.update(body, start, position - start);
      require(littleEndian(position, 2) == (crc.getValue() & 0xffff), "wrong header CRC");
      position += 2;
    }
    require(position < body.length, "truncated header");
    return position;
  }

  private long littleEndian(int position, int bytes) {
    long value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
      value = value << 8 | (body[position + i] & 0xff);
    }
    return value;
  }

  /** Makes room for the length that the trailer names, within bounds: the trailer is input. */
  private void reserve() {
    long named = body.length < 4 ? 0 : littleEndian(body.length - 4, 4);
    long most = Math.min(maxBytes, (long) body.length * BEST_RATIO);
    int wanted = (int) Math.min(maxBytes, Math.max(LEAST_BUFFER, Math.min(named, most))) + 1;
    if (text.length < wanted) {
      text = null; // the old buffer must be free before the new one is there
      text = new byte[wanted];
    }
  }

  private static void require(boolean claim, String fault) throws DataFormatException {
    if (!claim) {
      throw new DataFormatException(fault);
    }
  }
}
