// The client `light`: AWS's signer (Requests), Apache's HTTP client, the JDK's XML parser
// (Answers).
// SPEC L4, R3, W14, E5, E9, P1. Holds the connections.
package rosetta.s3;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import org.apache.hc.client5.http.classic.HttpClient;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.ManagedHttpClientConnectionFactory;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.io.HttpClientConnectionManager;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.HttpEntity;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.io.HttpClientResponseHandler;
import org.apache.hc.core5.http.io.entity.InputStreamEntity;
import org.apache.hc.core5.http.message.BasicClassicHttpRequest;
import org.apache.hc.core5.io.CloseMode;
import org.apache.hc.core5.util.Timeout;
import rosetta.Config;
import rosetta.Store;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

/** S3 without an S3 client. */
final class LightStore implements Store {
  private static final int MAX_ERROR_BYTES = 1 << 16;

  private final Requests requests;
  private final HttpClientConnectionManager connections;
  private final HttpClient http;

  /** An exception leaves the rest of the body unread. */
  private static final class TooLong extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String etag;

    TooLong(String etag) {
      this.etag = etag;
    }
  }

  LightStore(Config config, Map<String, String> env) {
    requests = new Requests(config, Credentials.provider(env));
    connections =
        PoolingHttpClientConnectionManagerBuilder.create()
            .setConnectionFactory(
                ManagedHttpClientConnectionFactory.builder()
                    .responseParserFactory(unused -> new WholeHeads())
                    .build())
            .setTlsSocketStrategy(Network.tls(config))
            .setMaxConnTotal(config.concurrency())
            .setMaxConnPerRoute(config.concurrency())
            .setDefaultConnectionConfig(
                ConnectionConfig.custom()
                    .setConnectTimeout(Timeout.of(Network.CONNECT_TIMEOUT))
                    .setSocketTimeout(Timeout.of(Network.READ_TIMEOUT))
                    .setIdleTimeout(Timeout.of(Network.MAX_IDLE_TIME))
                    .build())
            .build();
    http = config.proxy() == null ? HttpClients.createMinimal(connections) : routed(config);
  }

  /** Reaches a proxy, which the minimal client can't; it takes more CPU for each request. */
  private HttpClient routed(Config config) {
    return HttpClients.custom() // as minimal: no repeats, no redirects, bodies as they are
        .setConnectionManager(connections)
        .setRoutePlanner(Network.routes(config))
        .disableAutomaticRetries()
        .disableRedirectHandling()
        .disableContentCompression()
        .disableCookieManagement()
        .disableAuthCaching()
        .disableConnectionState()
        .build();
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    SdkHttpRequest.Builder list =
        requests
            .of(SdkHttpMethod.GET, bucket, "")
            .putRawQueryParameter("list-type", "2")
            .putRawQueryParameter("encoding-type", "url")
            .putRawQueryParameter("prefix", prefix);
    if (delimiter != null) {
      list.putRawQueryParameter("delimiter", delimiter);
    }
    if (token != null) {
      list.putRawQueryParameter("continuation-token", token);
    }
    return attempt(list, answer -> Outcomes.checked(page(answer), prefix));
  }

  private static Page page(ClassicHttpResponse answer) throws IOException {
    return Answers.page(Body.ofPage(answer.getEntity().getContent()));
  }

  @Override
  public Stored get(String bucket, String key, int limitBytes) {
    SdkHttpRequest.Builder get = requests.of(SdkHttpMethod.GET, bucket, key);
    try {
      return Outcomes.got(
          () -> attempt(get, answer -> Outcomes.stored(body(answer, limitBytes), etag(answer))));
    } catch (TooLong e) {
      return Outcomes.stored(null, e.etag);
    }
  }

  private static byte[] body(ClassicHttpResponse answer, int limitBytes) throws IOException {
    HttpEntity entity = answer.getEntity();
    byte[] body = Body.read(entity.getContent(), entity.getContentLength(), limitBytes);
    if (body == null) {
      throw new TooLong(etag(answer));
    }
    return body;
  }

  private static String etag(ClassicHttpResponse answer) {
    Header etag = answer.getFirstHeader("ETag");
    return etag == null ? null : etag.getValue();
  }

  @Override
  public Optional<String> put(String bucket, String key, Content body, String type, Condition on) {
    SdkHttpRequest.Builder put =
        on(on, requests.of(SdkHttpMethod.PUT, bucket, key))
            .putHeader("Content-Type", type)
            .putHeader("x-amz-checksum-crc32", crc32(body));
    HttpEntity entity = new InputStreamEntity(body.open(), body.length(), null);
    return Outcomes.written(on, () -> attempt(put, entity, body::open, LightStore::etag));
  }

  /** The checksum as S3 wants it: base64 of its four bytes (W14). */
  private static String crc32(Content body) {
    CRC32 crc = new CRC32();
    try (InputStream read = new CheckedInputStream(body.open(), crc)) {
      read.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory throws none
    }
    byte[] bytes = ByteBuffer.allocate(Integer.BYTES).putInt((int) crc.getValue()).array();
    return Base64.getEncoder().encodeToString(bytes);
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    String from = SdkHttpUtils.urlEncodeIgnoreSlashes(bucket + "/" + fromKey);
    attempt(
        requests.of(SdkHttpMethod.PUT, bucket, toKey).putHeader("x-amz-copy-source", from),
        answer -> {
          Answers.requireCopy(answer.getEntity().getContent());
          return null;
        });
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    SdkHttpRequest.Builder delete = on(condition, requests.of(SdkHttpMethod.DELETE, bucket, key));
    Outcomes.written(condition, () -> attempt(delete, answer -> ""));
  }

  private static SdkHttpRequest.Builder on(Condition condition, SdkHttpRequest.Builder request) {
    if (condition.ifNoneMatch() != null) {
      request.putHeader("If-None-Match", condition.ifNoneMatch());
    }
    if (condition.ifMatch() != null) {
      request.putHeader("If-Match", condition.ifMatch());
    }
    return request;
  }

  @Override
  public void close() {
    connections.close(CloseMode.IMMEDIATE);
  }

  private <T> T attempt(SdkHttpRequest.Builder request, HttpClientResponseHandler<T> reader) {
    return attempt(request, null, null, reader);
  }

  /**
   * One attempt.
   *
   * @param body the body to send, or null
   * @param payload the same for the signature, or null
   */
  private <T> T attempt(
      SdkHttpRequest.Builder request,
      HttpEntity body,
      ContentStreamProvider payload,
      HttpClientResponseHandler<T> reader) {
    try {
      SdkHttpRequest signed = requests.signed(request, payload);
      HttpHost host = new HttpHost(signed.protocol(), signed.host(), signed.port());
      String query = signed.encodedQueryParameters().map(text -> "?" + text).orElse("");
      ClassicHttpRequest sent =
          new BasicClassicHttpRequest(signed.method().name(), host, signed.encodedPath() + query);
      signed.forEachHeader((name, values) -> sent.setHeader(name, values.getFirst()));
      sent.setEntity(body);
      return http.execute(
          host,
          sent,
          null,
          answer -> {
            if (answer.getCode() >= 300) {
              HttpEntity entity = answer.getEntity();
              byte[] text =
                  entity == null ? new byte[0] : entity.getContent().readNBytes(MAX_ERROR_BYTES);
              throw Answers.fault(answer.getCode(), text);
            }
            return reader.handleResponse(answer);
          });
    } catch (FailedAttempt | TooLong e) {
      throw e;
    } catch (IOException | RuntimeException e) { // the latter: no credentials, for one
      throw new FailedAttempt(e);
    }
  }
}
