// Step: store, the light one. SPEC L4, R3, E5: AWS's signer (Requests), Apache's client without its
// repetitions, and the JDK's XML parser (Answers); each request is one attempt.
// Holds each body that it returns.
package rosetta;

import java.io.EOFException;
import java.io.IOException;
import java.util.Map;
import org.apache.hc.client5.http.classic.HttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.HttpEntity;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.io.HttpClientResponseHandler;
import org.apache.hc.core5.http.io.entity.InputStreamEntity;
import org.apache.hc.core5.http.message.BasicClassicHttpRequest;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

/** S3 without an S3 client. */
final class LightStore implements Store {
  private final Requests requests;
  private final HttpClient http;

  LightStore(Config config, Map<String, String> env) {
    requests = new Requests(config, Credentials.provider(env));
    // minimal: it repeats nothing, follows no redirect and inflates nothing
    http = HttpClients.createMinimal(Connections.of(config));
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
        answer -> wholeBody(answer.getEntity(), limitBytes));
  }

  private static byte[] wholeBody(HttpEntity body, int limitBytes) throws IOException {
    long length = body.getContentLength();
    if (length > limitBytes) {
      throw Errors.ofSource(Errors.Code.TOO_LARGE, null);
    }
    byte[] bytes = new byte[(int) length];
    if (body.getContent().readNBytes(bytes, 0, bytes.length) < bytes.length) {
      throw new EOFException("body shorter than its Content-Length");
    }
    return bytes;
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

  private <T> T attempt(SdkHttpRequest.Builder request, HttpClientResponseHandler<T> reader) {
    return attempt(request, null, null, reader);
  }

  /** One attempt, with a body or, without, null twice. */
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
    } catch (SdkClientException | IOException e) { // the former for lack of credentials
      throw new FailedAttempt(e);
    }
  }
}
