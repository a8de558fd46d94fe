// Reads the heads of answers for the light client. SPEC E5: an answer may break off at any byte.
// Holds no state.
package rosetta.s3;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.ConnectionClosedException;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.impl.io.DefaultHttpResponseParser;
import org.apache.hc.core5.http.io.SessionInputBuffer;

/** Apache's own parser takes the connection's end for the end of the headers. */
final class WholeHeads extends DefaultHttpResponseParser {
  @Override
  public ClassicHttpResponse parse(SessionInputBuffer buffer, InputStream connection)
      throws IOException, HttpException {
    return super.parse(
        buffer,
        new FilterInputStream(connection) {
          @Override
          public int read(byte[] bytes, int offset, int length) throws IOException {
            int read = super.read(bytes, offset, length);
            if (read < 0) {
              throw new ConnectionClosedException("the answer ends within its head");
            }
            return read;
          }
        });
  }
}
