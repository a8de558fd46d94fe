// The client `light`: AWS's signer (Requests), Apache's HTTP client, the JDK's XML parser
// (Answers).
// SPEC L4, R3, E5, P1. Holds the connections.
package rosetta.s3;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.TimeUnit;
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
import rosetta.Config;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;
import rosetta.Store;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

/** S3 without an S3 client. */
final class LightStore implements Store {
  private static final int MOST_ERROR_BYTES = 1 << 16;

  private final Requests requests;
  private final HttpClientConnectionManager connections;
  private final HttpClient http;

  LightStore(Config config, Map<String, String> env) {
    requests = new Requests(config, Credentials.provider(env));
    connections =
        PoolingHttpClientConnectionManagerBuilder.create()
            .setConnectionFactory(
                ManagedHttpClientConnectionFactory.builder()
                    .responseParserFactory(unused -> new WholeHeads())
                    .build())
            .setMaxConnTotal(config.concurrency())
            .setMaxConnPerRoute(config.concurrency())
            .setDefaultConnectionConfig(
                ConnectionConfig.custom()
                    .setConnectTimeout(Clients.CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                    .setSocketTimeout((int) Clients.READ_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                    .build())
            .build();
    // The minimal client repeats nothing, follows no redirect and inflates nothing.
    http = HttpClients.createMinimal(connections);
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
    return attempt(
        list, answer -> Outcomes.checked(Answers.page(answer.getEntity().getContent()), prefix));
  }

  @Override
  public Stored get(String bucket, String key, int limitBytes) {
    return Outcomes.source(
        () ->
            attempt(
                requests.of(SdkHttpMethod.GET, bucket, key),
                answer -> new Stored(body(answer, limitBytes), etag(answer))));
  }

  private static byte[] body(ClassicHttpResponse answer, int limitBytes) throws IOException {
    HttpEntity entity = answer.getEntity();
    byte[] body = Body.read(entity.getContent(), entity.getContentLength(), limitBytes);
    if (body == null) {
      throw new BadSource(SourceCode.TOO_LARGE); // an exception leaves the rest unread
    }
    return body;
  }

  private static String etag(ClassicHttpResponse answer) {
    Header etag = answer.getFirstHeader("ETag");
    return etag == null ? null : etag.getValue();
  }

  @Override
  public String put(
      String bucket, String key, Content content, String contentType, Condition condition) {
    SdkHttpRequest.Builder put =
        on(condition, requests.of(SdkHttpMethod.PUT, bucket, key))
            .putHeader("Content-Type", contentType);
    HttpEntity body = new InputStreamEntity(content.open(), content.length(), null);
    return Outcomes.unlessRefused(
        condition, () -> attempt(put, body, content::open, LightStore::etag));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    String from = SdkHttpUtils.urlEncodeIgnoreSlashes(bucket + "/" + fromKey);
    attempt(
        requests.of(SdkHttpMethod.PUT, bucket, toKey).putHeader("x-amz-copy-source", from),
        answer -> Answers.of(answer.getEntity().getContent(), "CopyObjectResult"));
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    SdkHttpRequest.Builder delete = on(condition, requests.of(SdkHttpMethod.DELETE, bucket, key));
    Outcomes.unlessRefused(condition, () -> attempt(delete, answer -> null));
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
   * @param body to send, or null
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
              HttpEntity told = answer.getEntity();
              byte[] text =
                  told == null ? new byte[0] : told.getContent().readNBytes(MOST_ERROR_BYTES);
              throw Answers.fault(answer.getCode(), text);
            }
            return reader.handleResponse(answer);
          });
    } catch (FailedAttempt | BadSource e) {
      throw e;
    } catch (IOException | RuntimeException e) { // the latter: no credentials, for one
      throw new FailedAttempt(e);
    }
  }
}
