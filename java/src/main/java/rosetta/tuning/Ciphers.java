// Tuning: the cipher of TLS. Skip on first reading.
// The plain version is the JDK's own order, in which AES-GCM is first. Lambda stops the JVM at its
// first compiler, which knows none of the processor's instructions for AES-GCM: it takes 4 times
// the CPU of ChaCha20 then, and a warm run takes 1.30 times the CPU (docs/performance/java.md).
package rosetta.tuning;

import java.util.Arrays;
import java.util.Comparator;
import javax.net.ssl.SSLContext;

/** A server may choose another one of these, and does so if it keeps to an order of its own. */
public final class Ciphers {
  private Ciphers() {}

  /** All of the context's, with ChaCha20 first. */
  public static String[] inOrder(SSLContext context) {
    String[] names = context.getDefaultSSLParameters().getCipherSuites();
    Arrays.sort(names, Comparator.comparing(name -> !name.contains("CHACHA20")));
    return names;
  }
}
