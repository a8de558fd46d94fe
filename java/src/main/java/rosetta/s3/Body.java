// Reads an answer's body for either client. SPEC L8, R2, E5.
// Holds the body that it returns.
package rosetta.s3;

import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

final class Body {
  private static final int MAX_PAGE_BYTES = 16 << 20; // L8

  private Body() {}

  /** A listing's answer; to read more than a page may have fails. */
  static InputStream ofPage(InputStream body) {
    return new FilterInputStream(body) {
      private int left = MAX_PAGE_BYTES;

      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
      }

      @Override
      public int read(byte[] bytes, int offset, int length) throws IOException {
        int read = super.read(bytes, offset, length);
        left -= Math.max(read, 0);
        if (left < 0) {
          throw new IOException("a page of more than 16 MiB");
        }
        return read;
      }
    };
  }

  /**
   * The whole body, or null if it is longer than the limit.
   *
   * @param length the length that the answer names, or less than 0 if it names none
   */
  static byte[] read(InputStream body, long length, int limitBytes) throws IOException {
    if (length > limitBytes) {
      return null;
    }
    if (length < 0) {
      byte[] bytes = body.readNBytes(limitBytes);
      return body.read() < 0 ? bytes : null;
    }
    byte[] bytes = new byte[(int) length];
    if (body.readNBytes(bytes, 0, bytes.length) < bytes.length) {
      throw new EOFException("body shorter than its Content-Length");
    }
    return bytes;
  }
}
