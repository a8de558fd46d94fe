package rosetta.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Set;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;

class CiphersTest {
  @Test
  void offersAllWithTheCheapestFirst() throws NoSuchAlgorithmException {
    SSLContext context = SSLContext.getDefault();
    String[] own = context.getDefaultSSLParameters().getCipherSuites();
    String[] ordered = Ciphers.inOrder(context);
    assertEquals("TLS_CHACHA20_POLY1305_SHA256", ordered[0]);
    assertTrue(Arrays.asList(ordered).contains("TLS_AES_128_GCM_SHA256"));
    assertEquals(Set.of(own), Set.of(ordered));
    assertEquals(own.length, ordered.length);
  }
}
