package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import rosetta.Config;
import rosetta.Runs;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.GetUrlRequest;

/** Where both clients ask for a key, if no endpoint is set. */
class EndpointTest {
  private static final Map<String, String> KEYS =
      Map.of("AWS_ACCESS_KEY_ID", "id", "AWS_SECRET_ACCESS_KEY", "secret");

  @ParameterizedTest
  @CsvSource({
    "eu-central-1, bucket, https://bucket.s3.eu-central-1.amazonaws.com/a/b%20c",
    "us-gov-west-1, bucket, https://bucket.s3.us-gov-west-1.amazonaws.com/a/b%20c",
    "eusc-de-east-1, bucket, https://bucket.s3.eusc-de-east-1.amazonaws.eu/a/b%20c",
    "cn-north-1, bucket, https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b%20c",
    "cn-north-1, bucket.name, https://s3.cn-north-1.amazonaws.com.cn/bucket.name/a/b%20c",
  })
  void isAwssOwn(String region, String bucket, URI expected) {
    Config config = Runs.config("AWS_REGION", region);
    Requests requests = new Requests(config, Credentials.provider(KEYS));
    assertEquals(expected, requests.of(SdkHttpMethod.GET, bucket, "a/b c").build().getUri());
    S3Client sdk = new SdkStore(config, KEYS).client;
    GetUrlRequest url = GetUrlRequest.builder().bucket(bucket).key("a/b c").build();
    assertEquals(expected.toString(), sdk.utilities().getUrl(url).toString());
  }
}
