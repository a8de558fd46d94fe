// Reads an answer's body for either client. SPEC R2, E5.
// Holds the body that it returns.
package rosetta.s3;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

final class Body {
  private Body() {}

  /**
   * The whole body, or null if it is longer than the limit.
   *
   * @param length as the answer names it, or less than 0 if it names none
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
