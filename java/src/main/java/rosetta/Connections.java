// Step: store, the light one's connections. SPEC E5, P1: at most CONCURRENCY, and what each may
// wait.
// Holds them as long as the sandbox lives.
package rosetta;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import org.apache.hc.client5.http.DnsResolver;
import org.apache.hc.client5.http.SchemePortResolver;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.impl.io.DefaultHttpClientConnectionOperator;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.io.HttpClientConnectionManager;
import org.apache.hc.client5.http.io.HttpClientConnectionOperator;
import org.apache.hc.client5.http.ssl.DefaultClientTlsStrategy;
import org.apache.hc.client5.http.ssl.TlsSocketStrategy;
import org.apache.hc.core5.http.URIScheme;
import org.apache.hc.core5.http.config.RegistryBuilder;

/**
 * Apache's pool, with sockets of channels: an interrupt closes the one that a thread hangs on, be
 * that a thread of the system's.
 */
final class Connections extends PoolingHttpClientConnectionManagerBuilder {
  private Connections() {}

  static HttpClientConnectionManager of(Config config) {
    ConnectionConfig limits =
        ConnectionConfig.custom()
            .setConnectTimeout(Store.MOST_TO_CONNECT.toMillis(), TimeUnit.MILLISECONDS)
            .setSocketTimeout((int) Store.MOST_SILENCE.toMillis(), TimeUnit.MILLISECONDS)
            .build();
    boolean plain = config.endpoint() != null && config.endpoint().getScheme().equals("http");
    return new Connections()
        .setMaxConnTotal(config.concurrency())
        .setMaxConnPerRoute(config.concurrency())
        .setDefaultConnectionConfig(limits)
        .setTlsSocketStrategy(plain ? noTls() : DefaultClientTlsStrategy.createDefault())
        .build();
  }

  /** For an endpoint without TLS: to read the JDK's certificates takes a tenth of a second. */
  private static TlsSocketStrategy noTls() {
    return (socket, target, port, attachment, context) -> {
      throw new IOException("no TLS to " + target);
    };
  }

  @Override
  protected HttpClientConnectionOperator createConnectionOperator(
      SchemePortResolver ports, DnsResolver names, TlsSocketStrategy tls) {
    return new DefaultHttpClientConnectionOperator(
        proxy -> SocketChannel.open().socket(),
        ports,
        names,
        RegistryBuilder.<TlsSocketStrategy>create().register(URIScheme.HTTPS.id, tls).build());
  }
}
