package rosetta;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.RunFailure;
import rosetta.Errors.SourceCode;
import rosetta.concurrency.Work;
import rosetta.s3.Clients;

/** Either client against a server that answers what a test tells it. */
@ParameterizedClass
@EnumSource(Config.Client.class)
class StoreTest {
  private static final Map<String, String> KEYS =
      Map.of("AWS_ACCESS_KEY_ID", "id", "AWS_SECRET_ACCESS_KEY", "secret");
  private static final byte[] BODY = "stored".getBytes(StandardCharsets.UTF_8);

  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  @Parameter Config.Client client;
  private HttpServer server;
  private Store connected;
  private Store store;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.start();
    store = open("http://127.0.0.1:" + server.getAddress().getPort());
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private Store open(String endpoint) {
    Config config = Runs.config("AWS_ENDPOINT_URL_S3", endpoint, "S3_CLIENT", name());
    connected = Clients.open(config, KEYS);
    return new Attempts(connected, Runs.work(), Runs.journal(), null);
  }

  private String name() {
    return client.name().toLowerCase(Locale.ROOT);
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
    answer(StoreTest::ok);
    assertArrayEquals(BODY, store.get(Runs.SOURCE, "//a/../b +%41\u00fc\n\u0001", 6).body());
    String doubled = client == Config.Client.SDK ? "/%2F/" : "///"; // S3 decodes the path
    assertEquals(
        List.of("GET /source-bucket" + doubled + "a/../b%20%2B%2541%C3%BC%0A%01"), requests);
    assertEquals(SourceCode.TOO_LARGE, store.get(Runs.SOURCE, "a", 5).fault());
  }

  /** S3 names the length; another server may send chunks of its own. */
  @Test
  void takesBodiesWithoutContentLength() {
    answer(
        exchange -> {
          exchange.sendResponseHeaders(200, 0);
          exchange.getResponseBody().write(BODY);
        });
    assertArrayEquals(BODY, store.get(Runs.SOURCE, "a", 6).body());
    assertEquals(SourceCode.TOO_LARGE, store.get(Runs.SOURCE, "a", 5).fault());
  }

  @Test
  void retriesWhatMayPass() {
    answer(
        error(503, "Busy"),
        error(429, "TooManyRequests"),
        StoreTest::shortBody,
        error(408, "RequestTimeout"),
        StoreTest::ok);
    assertArrayEquals(BODY, store.get(Runs.SOURCE, "a", 6).body());
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
          () -> store.put(Runs.SOURCE, "a", new Store.Bytes(BODY), "application/gzip"),
        }) {
      requests.clear();
      assertThrows(RunFailure.class, request::run);
      assertEquals(5, requests.size());
    }
  }

  @Test
  void doesNotRepeatWhatWasRefused() {
    answer(error(403, "AccessDenied"), error(404, "NoSuchKey"), error(404, "NoSuchBucket"));
    assertEquals("S3_ERROR: get a (AccessDenied)", message(() -> store.get(Runs.SOURCE, "a", 6)));
    assertEquals(SourceCode.MISSING, store.get(Runs.SOURCE, "a", 6).fault());
    assertEquals("S3_ERROR: get a (NoSuchBucket)", message(() -> store.get(Runs.SOURCE, "a", 6)));
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
    String code = " (PermanentRedirect)";
    assertEquals("S3_ERROR: get a" + code, message(() -> store.get(Runs.SOURCE, "a", 6)));
    assertEquals(
        "S3_ERROR: list p" + code, message(() -> store.listPage(Runs.SOURCE, "p", null, null)));
    assertEquals("S3_ERROR: delete a" + code, message(() -> store.delete(Runs.SOURCE, "a")));
    assertEquals("S3_ERROR: copy a" + code, message(() -> store.copy(Runs.SOURCE, "b", "a")));
    assertEquals(
        "S3_ERROR: put a" + code,
        message(() -> store.put(Runs.SOURCE, "a", new Store.Bytes(BODY), "text/plain")));
    assertEquals(5, requests.size());
  }

  @Test
  void takesAnErrorInACopysAnswerForAnError() {
    answer(error(200, "InternalError"), error(200, "InternalError"), StoreTest::copied);
    store.copy(Runs.SOURCE, "b", "a");
    assertEquals(3, requests.size());
  }

  @Test
  void takesAnotherXmlForNoResult() {
    answer(
        StoreTest::other,
        exchange -> listing(exchange, "<IsTruncated>false</IsTruncated>"),
        StoreTest::other,
        StoreTest::copied);
    assertEquals(List.of(), store.listPage(Runs.SOURCE, "p", null, null).objects());
    assertEquals(2, requests.size());
    store.copy(Runs.SOURCE, "b", "a");
    assertEquals(4, requests.size());
  }

  private static void other(HttpExchange exchange) throws IOException {
    byte[] body = "<Other/>".getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
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
    String members =
        "<IsTruncated>true</IsTruncated><NextContinuationToken>a+b</NextContinuationToken>"
            + "<Contents><Key>pa%2Bb+c%0A%25</Key><Size>7</Size></Contents>"
            + "<CommonPrefixes><Prefix>p+%C3%BC%2F</Prefix></CommonPrefixes>";
    answer(
        exchange -> listing(exchange, members),
        exchange -> result(exchange, "<ListBucketResult>" + members + "</ListBucketResult>"));
    assertEquals(
        new Store.Page(List.of(new Store.Entry("pa+b c\n%", 7)), List.of("p \u00fc/"), "a+b"),
        store.listPage(Runs.SOURCE, "p", "/", null));
    assertEquals( // L8: nothing says that the keys are encoded
        new Store.Page(
            List.of(new Store.Entry("pa%2Bb+c%0A%25", 7)), List.of("p+%C3%BC%2F"), "a+b"),
        store.listPage(Runs.SOURCE, "p", "/", null));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "<IsTruncated>true</IsTruncated>",
        "<IsTruncated>true</IsTruncated><NextContinuationToken/>",
        "<IsTruncated>false</IsTruncated><Contents><Key>p</Key></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>p</Key><Size>-1</Size></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>p</Key><Size>x</Size></Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>p</Key><Size>9007199254740993</Size>"
            + "</Contents>",
        "<IsTruncated>false</IsTruncated><Contents><Key>q</Key><Size>1</Size></Contents>",
        "<IsTruncated>false</IsTruncated><CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes>",
      })
  void takesNoOtherAnswerForAPage(String members) {
    answer(
        exchange -> listing(exchange, members),
        exchange -> listing(exchange, "<IsTruncated>false</IsTruncated>"));
    assertEquals(List.of(), store.listPage(Runs.SOURCE, "p", "/", null).objects());
    assertEquals(2, requests.size());
  }

  @Test
  void writesOnAConditionOnly() {
    answer(
        exchange -> {
          assertEquals("*", exchange.getRequestHeaders().getFirst("If-None-Match"));
          exchange.getResponseHeaders().set("ETag", "\"one\"");
          exchange.sendResponseHeaders(200, -1);
        },
        error(412, "PreconditionFailed"),
        exchange -> {
          assertEquals("\"one\"", exchange.getRequestHeaders().getFirst("If-Match"));
          error(404, "NoSuchKey").to(exchange);
        },
        error(412, "PreconditionFailed"));
    Store.Condition unchanged = Store.Condition.unchanged("\"one\"");
    assertEquals(Optional.of("\"one\""), put(Store.Condition.ABSENT));
    assertEquals(Optional.empty(), put(Store.Condition.ABSENT));
    assertEquals(Optional.empty(), put(unchanged));
    store.delete(Runs.SOURCE, "a", unchanged);
    assertEquals(4, requests.size());
    assertEquals("S3_ERROR: put a (PreconditionFailed)", message(() -> put(Store.Condition.NONE)));
  }

  private Optional<String> put(Store.Condition condition) {
    return store.put(Runs.SOURCE, "a", new Store.Bytes(BODY), "text/plain", condition);
  }

  /** R9. */
  @Test
  void tellsAnArchivedSource() {
    answer(error(403, "InvalidObjectState"));
    assertEquals(SourceCode.ARCHIVED, store.get(Runs.SOURCE, "a", 6).fault());
    assertEquals(
        "S3_ERROR: delete a (InvalidObjectState)", message(() -> store.delete(Runs.SOURCE, "a")));
  }

  private static void listing(HttpExchange exchange, String members) throws IOException {
    String root = "<ListBucketResult><EncodingType>url</EncodingType>";
    result(exchange, root + members + "</ListBucketResult>");
  }

  private static void result(HttpExchange exchange, String xml) throws IOException {
    byte[] body = xml.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }

  @Test
  void saysWhatS3Said() {
    answer(error(403, "AccessDenied"));
    RunFailure e = assertThrows(RunFailure.class, () -> store.get(Runs.SOURCE, "a", 6));
    assertTrue(e.getCause().toString().contains("AccessDenied"), e.getCause().toString());
  }

  /** A run that is given up interrupts its threads: nothing else has to end a request. */
  @Test
  void isGivenUpWithItsThread() throws InterruptedException {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch over = new CountDownLatch(1);
    answer(
        exchange -> {
          asked.countDown();
          try {
            over.await();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
        });
    Work work = Runs.work();
    Future<Store.Stored> request = work.tasks().submit(() -> store.get(Runs.SOURCE, "a", 6));
    asked.await();
    boolean hasEnded = work.stop(); // long before an attempt fails by itself
    over.countDown();
    assertTrue(hasEnded);
    assertInstanceOf(CancellationException.class, request.exceptionNow());
    assertEquals(1, requests.size());
  }

  /** In a JVM of its own: only the client in use costs time and memory at the start. */
  @Test
  void loadsTheClientInUseOnly() throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xlog:class+load:stdout",
                "-cp",
                System.getProperty("java.class.path"),
                Opens.class.getName(),
                name())
            .redirectErrorStream(true)
            .start();
    String loaded = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    boolean light = client == Config.Client.LIGHT;
    assertEquals(light, loaded.contains("rosetta.s3.LightStore "), loaded);
    assertEquals(!light, loaded.contains("rosetta.s3.SdkStore "), loaded);
    assertEquals(!light, loaded.contains("software.amazon.awssdk.services.s3."));
    assertEquals(!light, loaded.contains("software.amazon.awssdk.regions."));
  }

  /** What a sandbox does at its start. */
  static final class Opens {
    private Opens() {}

    public static void main(String[] client) {
      Clients.open(Runs.config("S3_CLIENT", client[0]), KEYS).close();
    }
  }

  @Test
  void asksAnAddressOfVersionSix() throws IOException {
    InetAddress loopback = InetAddress.ofLiteral("::1");
    HttpServer six;
    try {
      six = HttpServer.create(new InetSocketAddress(loopback, 0), 0);
    } catch (IOException e) {
      Assumptions.abort("no IPv6 here: " + e);
      return;
    }
    six.createContext(
        "/",
        exchange -> {
          ok(exchange);
          exchange.close();
        });
    six.start();
    try {
      Store there = open("http://[::1]:" + six.getAddress().getPort() + "/");
      assertArrayEquals(BODY, there.get(Runs.SOURCE, "a", 6).body());
    } finally {
      six.stop(0);
    }
  }

  @Test
  void failsWithAHostThatCannotExist() {
    Store nowhere = open("http://a..b");
    assertEquals("S3_ERROR: delete a", message(() -> nowhere.delete(Runs.SOURCE, "a")));
  }

  private static String message(Runnable request) {
    return assertThrows(RunFailure.class, request::run).getMessage();
  }
}
