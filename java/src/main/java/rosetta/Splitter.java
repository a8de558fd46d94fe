// Step: splitter. SPEC R6 to R8, C1, B3: a source's text becomes lines, if all of it is sound.
// Holds 16 kB: the lines overwrite the text, always behind the parser.
package rosetta;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;
import rosetta.concurrency.Work;
import rosetta.json.Json;

/** Cuts the records out of a source's text. Not safe for concurrent use. */
public final class Splitter {
  private static final JsonFactory FACTORY = Json.factory(500);
  private static final int PIECE_CHARS = 1 << 13;

  /** The first {@code length} bytes are {@code count} records, each with its LF. */
  public record Records(byte[] lines, int length, int count) {}

  private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
  private final CharBuffer piece = CharBuffer.allocate(PIECE_CHARS);

  /** Overwrites the text. Throws BAD_JSON or NO_RECORDS. */
  public Records split(Inflater.Text text) {
    try {
      checkUtf8(text.bytes(), text.length());
      try (JsonParser parser = FACTORY.createParser(text.bytes(), 0, text.length())) {
        return new Pass(text.bytes(), parser).records();
      }
    } catch (IOException e) {
      throw new BadSource(SourceCode.BAD_JSON, e);
    }
  }

  /** Jackson lets some overlong forms and surrogates pass, so the JDK's decoder goes first. */
  private void checkUtf8(byte[] text, int length) throws IOException {
    if (length >= 3 && text[0] == (byte) 0xef && text[1] == (byte) 0xbb && text[2] == (byte) 0xbf) {
      throw new CharacterCodingException(); // a byte order mark
    }
    ByteBuffer bytes = ByteBuffer.wrap(text, 0, length);
    decoder.reset();
    CoderResult result;
    do {
      Work.check(); // E6
      result = decoder.decode(bytes, piece.clear(), true);
      if (result.isError()) {
        result.throwException();
      }
    } while (result.isOverflow());
  }

  /** One text, and what was taken from it so far. */
  private static final class Pass {
    private final byte[] text;
    private final JsonParser parser;
    private int length;
    private int count;

    Pass(byte[] text, JsonParser parser) {
      this.text = text;
      this.parser = parser;
    }

    Records records() throws IOException {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("not an object");
      }
      int members = 0; // called Records
      boolean allObjects = true;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        boolean named = parser.currentName().equals("Records");
        JsonToken value = parser.nextToken();
        if (named && value == JsonToken.START_ARRAY) {
          allObjects &= elements();
        } else {
          allObjects &= !named;
          skipValue();
        }
        members += named ? 1 : 0;
      }
      if (parser.nextToken() != null) {
        throw new IOException("text after the object");
      }
      if (members != 1 || !allObjects) {
        throw new BadSource(SourceCode.NO_RECORDS);
      }
      return new Records(text, length, count);
    }

    /** Takes the elements up to the first that is no object; false if there is one. */
    private boolean elements() throws IOException {
      boolean allObjects = true;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        JsonLocation start = parser.currentTokenLocation();
        allObjects &= parser.currentToken() == JsonToken.START_OBJECT;
        skipValue();
        if (allObjects) {
          take(start, parser.currentLocation());
        }
      }
      return allObjects;
    }

    /** As {@link JsonParser#skipChildren}, but it ends with the run. */
    private void skipValue() throws IOException {
      int open = 0;
      do {
        JsonToken token = open == 0 ? parser.currentToken() : parser.nextToken();
        open += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
        Work.check(); // E6
      } while (open > 0);
    }

    /** The record loses its CR and LF, which stand between tokens only (C1), and gains one LF. */
    private void take(JsonLocation start, JsonLocation end) {
      int from = (int) start.getByteOffset();
      int to = (int) end.getByteOffset();
      if (start.getLineNr() == end.getLineNr()) { // which the parser counts by CR and LF
        System.arraycopy(text, from, text, length, to - from);
        length += to - from;
      } else {
        takeWithoutLineEnds(from, to);
      }
      text[length++] = '\n';
      count++;
    }

    private void takeWithoutLineEnds(int from, int to) {
      for (int i = from; i < to; i++) {
        byte b = text[i];
        if (b != '\n' && b != '\r') {
          text[length++] = b;
        } else {
          Work.check(); // E6
        }
      }
    }
  }
}
