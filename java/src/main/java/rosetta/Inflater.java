// Step: inflater. SPEC R2 to R5, P3: a body becomes the source's text.
// Holds one inflated body, in a buffer that serves all sources of the sandbox.
package rosetta;

import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;
import rosetta.concurrency.Work;

/**
 * Reads the members of a gzip stream. {@link java.util.zip.GZIPInputStream} accepts reserved flags
 * and trailing bytes, which R5 forbids. Not safe for concurrent use.
 */
public final class Inflater {
  private static final int FIRST_BUFFER = 1 << 16;
  private static final int PIECE_BYTES = 1 << 20;
  private static final int HEADER_BYTES = 10;
  private static final int TRAILER_BYTES = 8;
  private static final int FHCRC = 2; // the flags by their names in RFC 1952
  private static final int FEXTRA = 4;
  private static final int FNAME = 8;
  private static final int FCOMMENT = 16;
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
    } catch (DataFormatException e) {
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
        int room = (int) Math.min(length * 2L, maxBytes + 1L); // one byte more shows TOO_LARGE
        text = Arrays.copyOf(text, room);
      }
      Work.check(); // E6
      int inflated = codec.inflate(text, length, Math.min(text.length - length, PIECE_BYTES));
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
    return trailer + TRAILER_BYTES;
  }

  /** Checks a member's header (RFC 1952); returns where its data begin. */
  private int header(int start) throws DataFormatException {
    require(littleEndian(start, 2) == 0x8b1f, "no gzip member");
    require(start + HEADER_BYTES <= body.length, "truncated header");
    require(body[start + 2] == 8, "unknown method");
    int flags = body[start + 3];
    require((flags & RESERVED) == 0, "reserved flag");
    int position = start + HEADER_BYTES;
    if ((flags & FEXTRA) != 0) {
      position += 2 + (int) littleEndian(position, 2);
    }
    for (int flag : new int[] {FNAME, FCOMMENT}) {
      if ((flags & flag) != 0) {
        do {
          require(position < body.length, "truncated header");
        } while (body[position++] != 0); // a text ends with zero
      }
    }
    if ((flags & FHCRC) != 0) {
      crc.reset();
      require(position <= body.length, "truncated header"); // by its extra field
      crc.update(body, start, position - start);
      require(littleEndian(position, 2) == (crc.getValue() & 0xffff), "wrong header CRC");
      position += 2;
    }
    require(position < body.length, "truncated header");
    return position;
  }

  private long littleEndian(int position, int bytes) throws DataFormatException {
    require(position + bytes <= body.length, "truncated");
    long value = 0;
    for (int i = bytes - 1; i >= 0; i--) {
      value = value << 8 | (body[position + i] & 0xff);
    }
    return value;
  }

  private static void require(boolean condition, String fault) throws DataFormatException {
    if (!condition) {
      throw new DataFormatException(fault);
    }
  }
}
