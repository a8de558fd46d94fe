package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.apache.hc.client5.http.HttpRoute;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.protocol.HttpCoreContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import rosetta.Runs;

class NetworkTest {
  private static final String S3 = "bucket.s3.eu-west-1.amazonaws.com";

  private static HttpHost proxy(String scheme, String proxy) throws HttpException {
    HttpRoute route =
        Network.routes(Runs.config("HTTPS_PROXY", proxy, "NO_PROXY", "other.example"))
            .determineRoute(new HttpHost(scheme, S3, 443), HttpCoreContext.create());
    return route.getProxyHost();
  }

  /** S20: TLS alone goes through the proxy. */
  @Test
  void usesTheProxyForTls() throws HttpException {
    assertEquals(new HttpHost("http", "proxy.example", 80), proxy("https", "http://proxy.example"));
    assertEquals(new HttpHost("http", "::1", 3128), proxy("https", "http://[::1]:3128/"));
    assertNull(proxy("http", "http://proxy.example"));
    assertNull(proxy("https", ""));
  }

  /** S20. */
  @ParameterizedTest
  @CsvSource({
    "*, true",
    "amazonaws.com, true",
    ".amazonaws.com, true",
    "*.amazonaws.com, true",
    "'a.example , AMAZONAWS.com', true",
    "bucket.s3.eu-west-1.amazonaws.com, true",
    "zonaws.com, false",
    "ws.com, false",
    "s3.us-east-1.amazonaws.com, false",
    "'', false",
    "', ,', false",
    "., false",
  })
  void knowsTheHostsThatNeedNoProxy(String noProxy, boolean isDirect) {
    assertEquals(isDirect, Network.isNamed(S3, noProxy));
  }
}
