package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import org.junit.jupiter.api.Test;

class BodyTest {
  private static final byte[] SIX = {1, 2, 3, 4, 5, 6};

  private static InputStream six() {
    return new ByteArrayInputStream(SIX);
  }

  @Test
  void isReadToItsNamedLength() throws IOException {
    assertArrayEquals(SIX, Body.read(six(), 6, 6));
    assertThrows(EOFException.class, () -> Body.read(six(), 7, 9));
    assertNull(Body.read(six(), 6, 5));
  }

  @Test
  void isReadToItsEndWithoutALength() throws IOException {
    assertArrayEquals(SIX, Body.read(six(), -1, 6));
    assertArrayEquals(SIX, Body.read(six(), -1, 7));
    assertNull(Body.read(six(), -1, 5));
  }
}
