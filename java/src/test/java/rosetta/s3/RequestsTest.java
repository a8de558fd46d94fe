package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import org.junit.jupiter.api.Test;
import rosetta.Runs;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;

/** The examples of "Signature Calculations for the Authorization Header" in S3's API reference. */
class RequestsTest {
  private static final Clock THEN =
      Clock.fixed(Instant.parse("2013-05-24T00:00:00Z"), ZoneOffset.UTC);
  private static final Map<String, String> KEYS =
      Map.of(
          "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE",
          "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

  private final Requests requests =
      new Requests(Runs.config("AWS_REGION", "us-east-1"), Credentials.provider(KEYS), THEN);

  private static SdkHttpRequest.Builder request(SdkHttpMethod method, String path) {
    return SdkHttpRequest.builder()
        .method(method)
        .protocol("http") // in the examples the payload is signed
        .host("examplebucket.s3.amazonaws.com")
        .encodedPath(path);
  }

  private void assertSignature(
      String expected, SdkHttpRequest.Builder request, ContentStreamProvider payload) {
    String authorization =
        requests.signed(request, payload).firstMatchingHeader("Authorization").orElseThrow();
    assertEquals(expected, authorization.substring(authorization.lastIndexOf('=') + 1));
  }

  @Test
  void signsAGet() {
    assertSignature(
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        request(SdkHttpMethod.GET, "/test.txt").putHeader("Range", "bytes=0-9"),
        null);
  }

  @Test
  void signsAListing() {
    assertSignature(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        request(SdkHttpMethod.GET, "/")
            .putRawQueryParameter("prefix", "J")
            .putRawQueryParameter("max-keys", "2"),
        null);
  }

  @Test
  void signsAPutsPayload() {
    byte[] payload = "Welcome to Amazon S3.".getBytes(StandardCharsets.UTF_8);
    assertSignature(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        request(SdkHttpMethod.PUT, "/test%24file.text")
            .putHeader("Date", "Fri, 24 May 2013 00:00:00 GMT")
            .putHeader("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        () -> new ByteArrayInputStream(payload));
  }

  @Test
  void leavesThePayloadToTls() {
    SdkHttpRequest.Builder put = requests.of(SdkHttpMethod.PUT, "bucket", "key");
    SdkHttpRequest signed =
        requests.signed(
            put,
            () -> {
              throw new AssertionError("read to be hashed");
            });
    assertEquals(
        "UNSIGNED-PAYLOAD", signed.firstMatchingHeader("x-amz-content-sha256").orElseThrow());
  }
}
