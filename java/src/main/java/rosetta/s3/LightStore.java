// The client `light`: AWS's signer (Requests), Apache's HTTP client and the JDK's XML parser
// (Answers).
// SPEC L4, R3, E5, P1. Holds the connections.
package rosetta.s3;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.hc.client5.http.classic.HttpClient;
import org.apache.hc.client5.http.config.ConnectionConfig;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.io.HttpClientConnectionManager;
import org.apache.hc.core5.http.ClassicHttpRequest;
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
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

/** S3 without an S3 client. */
final class LightStore implements Store {
  private final Requests requests;
  private final HttpClientConnectionManager connections;
  private final HttpClient http;

  LightStore(Config config, Map<String, String> env) {
    requests = new Requests(config, Credentials.provider(env));
    connections =
        PoolingHttpClientConnectionManagerBuilder.create()
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
    return attempt(list, answer -> Answers.page(answer.getEntity().getContent()));
  }

  @Override
  public byte[] get(String bucket, String key, int limitBytes) {
    return attempt(
        requests.of(SdkHttpMethod.GET, bucket, key),
        answer -> {
          HttpEntity entity = answer.getEntity();
          byte[] body = Body.read(entity.getContent(), entity.getContentLength(), limitBytes);
          if (body == null) {
            throw new BadSource(SourceCode.TOO_LARGE);
          }
          return body;
        });
  }

  @Override
  public void put(String bucket, String key, Content content, String contentType) {
    attempt(
        requests.of(SdkHttpMethod.PUT, bucket, key).putHeader("Content-Type", contentType),
        new InputStreamEntity(content.open(), content.length(), null),
        content::open,
        answer -> null);
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    String from = SdkHttpUtils.urlEncodeIgnoreSlashes(bucket + "/" + fromKey);
    attempt(
        requests.of(SdkHttpMethod.PUT, bucket, toKey).putHeader("x-amz-copy-source", from),
        answer -> Answers.of(answer.getEntity().getContent(), "CopyObjectResult"));
  }

  @Override
  public void delete(String bucket, String key) {
    attempt(requests.of(SdkHttpMethod.DELETE, bucket, key), answer -> null);
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
              throw Answers.fault(answer.getCode(), answer.getEntity());
            }
            return reader.handleResponse(answer);
          });
    } catch (SdkClientException | IOException e) { // the former: no credentials
      throw new FailedAttempt(e);
    }
  }
}
