// Step: inflater. SPEC R2 to R5: a body becomes the source's text.
// Holds one inflated body, in a buffer that serves all sources of the sandbox.
package rosetta;

import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;

/**
 * Reads the members of a gzip stream. {@link java.util.zip.GZIPInputStream} accepts reserved flags
 * and trailing bytes, which R5 forbids. Not safe for concurrent use.
 */
public final class Inflater {
  private static final int FIRST_BUFFER = 1 << 16;
  private static final int TRAILER = 8;
  private static final int HEADER_CRC = 2;
  private static final int EXTRA = 4;
  private static final int NAME = 8;
  private static final int COMMENT = 16;
  private static final int RESERVED = 0xE0;

  /** The text is the first {@code length} bytes, valid until the next body is inflated. */
  public record Text(byte[] bytes, int length) {}

  private final int maxBytes;
  private final java.util.zip.Inflater codec = new java.util.zip.Inflater(true);
  private final CRC32 crc = new CRC32();
  private byte[] body;
  private byte[] text = new byte[FIRST_BUFFER];
  private int length;

  public Inflater(int maxBytes) {
    this.maxBytes = maxBytes;
  }

  /** The text of a gzipped or plain body; throws TOO_LARGE or BAD_GZIP. */
  public Text inflate(byte[] stored) {
    if (stored.length < 2 || stored[0] != 0x1f || stored[1] != (byte) 0x8b) {
      if (stored.length > maxBytes) {
        throw new BadSource(SourceCode.TOO_LARGE);
      }
      return new Text(stored, stored.length);
    }
    body = stored;
    length = 0;
    try {
      int position = 0;
      while (position < body.length) {
        position = member(position);
      }
    } catch (DataFormatException | ArrayIndexOutOfBoundsException e) {
      throw new BadSource(SourceCode.BAD_GZIP, e); // damaged, or truncated
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
        text =
            Arrays.copyOf(text, (int) Math.max(length + 1L, Math.min(length * 2L, maxBytes + 1L)));
      }
      int inflated = codec.inflate(text, length, text.length - length);
      length += inflated;
      if (length > maxBytes) {
        throw new BadSource(SourceCode.TOO_LARGE);
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

  private static void require(boolean claim, String fault) throws DataFormatException {
    if (!claim) {
      throw new DataFormatException(fault);
    }
  }
}
