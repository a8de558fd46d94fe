// How both clients reach S3. SPEC S17 to S20, E5, E9.
// Holds no state.
package rosetta.s3;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.apache.hc.client5.http.impl.routing.DefaultRoutePlanner;
import org.apache.hc.client5.http.routing.HttpRoutePlanner;
import org.apache.hc.client5.http.ssl.ClientTlsStrategyBuilder;
import org.apache.hc.client5.http.ssl.TlsSocketStrategy;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.protocol.HttpContext;
import rosetta.Config;
import rosetta.tuning.Ciphers;

/** The connections' times, proxy and authorities. */
public final class Network {
  /** E5, for each attempt of either client. */
  static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(3);

  static final Duration READ_TIMEOUT = Duration.ofSeconds(10);

  /** E9: a sandbox may have been frozen for so long. */
  static final Duration MAX_IDLE_TIME = Duration.ofSeconds(5);

  private Network() {}

  /** By HTTPS_PROXY for TLS, unless NO_PROXY names the host (S20). */
  static HttpRoutePlanner routes(Config config) {
    return new DefaultRoutePlanner(null) {
      @Override
      protected HttpHost determineProxy(HttpHost target, HttpContext context) {
        boolean isDirect =
            config.proxy() == null
                || !target.getSchemeName().equals("https")
                || isNamed(target.getHostName(), config.noProxy());
        return isDirect ? null : new HttpHost("http", host(config.proxy()), port(config.proxy()));
      }
    };
  }

  private static String host(URI proxy) {
    return proxy.getHost().replaceAll("[\\[\\]]", ""); // of an address of version 6
  }

  private static int port(URI proxy) {
    return proxy.getPort() < 0 ? 80 : proxy.getPort();
  }

  static boolean isNamed(String host, String noProxy) {
    return Arrays.stream(noProxy.toLowerCase(Locale.ROOT).split(","))
        .map(name -> name.replaceAll("\\s", "").replaceFirst("^(\\*\\.|\\.)", ""))
        .anyMatch(name -> name.equals("*") || isBelow(host.toLowerCase(Locale.ROOT), name));
  }

  private static boolean isBelow(String host, String name) {
    return !name.isEmpty() && (host.equals(name) || host.endsWith("." + name));
  }

  /** The certificates of a PEM file; none for an empty path. */
  public static List<Certificate> certificates(String path)
      throws IOException, CertificateException {
    if (path.isEmpty()) {
      return List.of();
    }
    try (InputStream pem = new FileInputStream(path)) {
      Collection<? extends Certificate> found =
          CertificateFactory.getInstance("X.509").generateCertificates(pem);
      if (found.isEmpty()) {
        throw new CertificateException("no certificate");
      }
      return List.copyOf(found);
    }
  }

  /** TLS that trusts the authorities of AWS_CA_BUNDLE, or the runtime's own. */
  static TlsSocketStrategy tls(Config config) {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trustManagers(config), null);
      return ClientTlsStrategyBuilder.create()
          .setSslContext(context)
          .setCiphers(Ciphers.inOrder(context)) // tuning
          .buildClassic();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // the JDK has it
    }
  }

  /** Null means the runtime's own. */
  private static TrustManager[] trustManagers(Config config) {
    if (config.authorities().isEmpty()) {
      return null;
    }
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      for (Certificate authority : config.authorities()) {
        store.setCertificateEntry("authority " + store.size(), authority);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      return factory.getTrustManagers();
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalStateException(e); // a store in memory
    }
  }
}
