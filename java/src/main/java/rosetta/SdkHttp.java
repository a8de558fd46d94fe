// Step: store, what the SDK sends by. SPEC E5: Apache's client without its repetitions.
// Holds nothing: an answer's body is read from its connection.
package rosetta;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.hc.client5.http.classic.HttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.io.entity.InputStreamEntity;
import org.apache.hc.core5.http.message.BasicClassicHttpRequest;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpFullResponse;
import software.amazon.awssdk.http.SdkHttpRequest;

/**
 * The light client's connections for the SDK. Its own client over Apache's takes twice the CPU: a
 * chain of steps for redirects, proxies and authentication, none of which S3 needs.
 */
final class SdkHttp implements SdkHttpClient {
  private static final String LENGTH = "Content-Length";

  private final HttpClient http;

  SdkHttp(Config config) {
    http = HttpClients.createMinimal(Connections.of(config));
  }

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    return new Prepared(request);
  }

  /** The connections live as long as the sandbox. */
  @Override
  public void close() {}

  private final class Prepared implements ExecutableHttpRequest {
    private final HttpExecuteRequest request;
    private ClassicHttpResponse answer;

    Prepared(HttpExecuteRequest request) {
      this.request = request;
    }

    @Override
    public HttpExecuteResponse call() throws IOException {
      SdkHttpRequest asked = request.httpRequest();
      HttpHost host = new HttpHost(asked.protocol(), asked.host(), asked.port());
      answer = http.executeOpen(host, sent(asked, host), null);
      SdkHttpFullResponse.Builder told =
          SdkHttpFullResponse.builder()
              .statusCode(answer.getCode())
              .statusText(answer.getReasonPhrase());
      for (Header header : answer.getHeaders()) {
        told.appendHeader(header.getName(), header.getValue());
      }
      AbortableInputStream body =
          answer.getEntity() == null
              ? null
              : AbortableInputStream.create(answer.getEntity().getContent(), this);
      return HttpExecuteResponse.builder().response(told.build()).responseBody(body).build();
    }

    private ClassicHttpRequest sent(SdkHttpRequest asked, HttpHost host) {
      String query = asked.encodedQueryParameters().map(text -> "?" + text).orElse("");
      ClassicHttpRequest sent =
          new BasicClassicHttpRequest(asked.method().name(), host, asked.encodedPath() + query);
      asked.forEachHeader(
          (name, values) -> {
            if (!name.equalsIgnoreCase(LENGTH)) { // which Apache's client takes from the entity
              values.forEach(value -> sent.addHeader(name, value));
            }
          });
      ContentStreamProvider content = request.contentStreamProvider().orElse(null);
      if (content != null) {
        long length = Long.parseLong(asked.firstMatchingHeader(LENGTH).orElse("-1"));
        sent.setEntity(new InputStreamEntity(content.newStream(), length, null));
      }
      return sent;
    }

    /** Closes the connection instead of reading it to the body's end. */
    @Override
    public void abort() {
      try {
        if (answer != null) {
          answer.close();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
