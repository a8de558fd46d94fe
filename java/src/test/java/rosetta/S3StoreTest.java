package rosetta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The real SDK against a server that answers what a test tells it. */
class S3StoreTest {
  private static final byte[] BODY = "stored".getBytes(StandardCharsets.UTF_8);

  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  private HttpServer server;
  private Store store;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.start();
    Config config =
        Runs.config("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:" + server.getAddress().getPort());
    Map<String, String> keys = Map.of("AWS_ACCESS_KEY_ID", "id", "AWS_SECRET_ACCESS_KEY", "secret");
    store = S3Store.opener(config, keys).open(Runs.journal(), failure -> {});
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private interface Answer {
    void to(HttpExchange exchange) throws IOException;
  }

  /** Answers in turn; the last one for good. */
  private void answer(Answer... answers) {
    server.createContext(
        "/",
        exchange -> {
          requests.add(exchange.getRequestMethod() + " " + exchange.getRequestURI());
          exchange.getRequestBody().readAllBytes();
          answers[Math.min(requests.size(), answers.length) - 1].to(exchange);
          exchange.close();
        });
  }

  private static Answer error(int status, String code) {
    return exchange -> {
      byte[] body = ("<Error><Code>" + code + "</Code></Error>").getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    };
  }

  private static void ok(HttpExchange exchange) throws IOException {
    exchange.getResponseHeaders().set("Content-Encoding", "gzip"); // which is none of our business
    exchange.sendResponseHeaders(200, BODY.length);
    exchange.getResponseBody().write(BODY);
  }

  private static void shortBody(HttpExchange exchange) throws IOException {
    exchange.sendResponseHeaders(200, BODY.length);
    exchange.getResponseBody().write(BODY, 0, 3);
    exchange.getResponseBody().flush();
    throw new IOException("hang up");
  }

  @Test
  void takesBodiesAsStored() {
    answer(S3StoreTest::ok);
    assertArrayEquals(BODY, store.get(Runs.SOURCE, "//a/../b +%41\u00fc\n\u0001", 6));
    assertEquals(List.of("GET /source-bucket/%2F/a/../b%20%2B%2541%C3%BC%0A%01"), requests);
    assertEquals(
        Errors.Code.TOO_LARGE,
        assertThrows(AggregationException.class, () -> store.get(Runs.SOURCE, "a", 5)).code());
  }

  @Test
  void retriesWhatMayPass() {
    answer(
        error(503, "SlowDown"),
        error(429, "TooManyRequests"),
        S3StoreTest::shortBody,
        error(408, "RequestTimeout"),
        S3StoreTest::ok);
    assertArrayEquals(BODY, store.get(Runs.SOURCE, "a", 6));
    assertEquals(5, requests.size());
  }

  @Test
  void givesUpAfterFiveAttempts() {
    answer(
        exchange -> {
          throw new IOException("no answer at all");
        });
    for (Runnable request :
        new Runnable[] {
          () -> store.get(Runs.SOURCE, "a", 6),
          () -> store.delete(Runs.SOURCE, "a"),
          () -> store.copy(Runs.SOURCE, "b", "a"),
          () -> store.put(Runs.SOURCE, "a", BODY, 6, "application/gzip"),
        }) {
      requests.clear();
      assertThrows(AggregationException.class, request::run);
      assertEquals(5, requests.size());
    }
  }

  @Test
  void doesNotRepeatWhatWasRefused() {
    answer(error(403, "AccessDenied"), error(404, "NoSuchKey"), error(404, "NoSuchBucket"));
    assertEquals("S3_ERROR: get a", message(() -> store.get(Runs.SOURCE, "a", 6)));
    assertEquals(
        Errors.Code.MISSING,
        assertThrows(AggregationException.class, () -> store.get(Runs.SOURCE, "a", 6)).code());
    assertEquals("S3_ERROR: get a", message(() -> store.get(Runs.SOURCE, "a", 6)));
    assertEquals(3, requests.size());
  }

  @Test
  void doesNotFollowToAnotherRegion() {
    answer(
        exchange -> {
          exchange.getResponseHeaders().set("x-amz-bucket-region", "us-west-2");
          exchange.getResponseHeaders().set("Location", "/elsewhere");
          error(301, "PermanentRedirect").to(exchange);
        });
    assertEquals("S3_ERROR: get a", message(() -> store.get(Runs.SOURCE, "a", 6)));
    assertEquals("S3_ERROR: list p", message(() -> store.listPage(Runs.SOURCE, "p", null, null)));
    assertEquals("S3_ERROR: delete a", message(() -> store.delete(Runs.SOURCE, "a")));
    assertEquals("S3_ERROR: copy a", message(() -> store.copy(Runs.SOURCE, "b", "a")));
    assertEquals(
        "S3_ERROR: put a", message(() -> store.put(Runs.SOURCE, "a", BODY, 6, "text/plain")));
    assertEquals(5, requests.size());
  }

  @Test
  void takesAnErrorInACopysAnswerForAnError() {
    answer(error(200, "InternalError"), error(200, "InternalError"), S3StoreTest::copied);
    store.copy(Runs.SOURCE, "b", "a");
    assertEquals(3, requests.size());
  }

  private static void copied(HttpExchange exchange) throws IOException {
    byte[] body =
        "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".getBytes(StandardCharsets.UTF_8);
    assertEquals("source-bucket/b", exchange.getRequestHeaders().getFirst("x-amz-copy-source"));
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }

  @Test
  void decodesListings() {
    answer(
        exchange -> {
          byte[] page =
              ("<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                      + "<NextContinuationToken>a+b</NextContinuationToken><Contents><Key>a%2Bb+c%0A%25</Key>"
                      + "<Size>7</Size></Contents><CommonPrefixes><Prefix>p+%C3%BC%2F</Prefix></CommonPrefixes>"
                      + "</ListBucketResult>")
                  .getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, page.length);
          exchange.getResponseBody().write(page);
        });
    assertEquals(
        new Store.Page(List.of(new Store.Entry("a+b c\n%", 7)), List.of("p \u00fc/"), "a+b"),
        store.listPage(Runs.SOURCE, "p", "/", null));
  }

  private static String message(Runnable request) {
    return assertThrows(AggregationException.class, request::run).getMessage();
  }
}
