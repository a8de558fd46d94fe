// The light client's requests. SPEC S10, S11, S16, L4: the bucket's address, and AWS's signature.
// Holds the credentials' provider.
package rosetta.s3;

import java.net.URI;
import java.time.Clock;
import rosetta.Config;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

/** Makes what {@link LightStore} sends; safe for concurrent use. */
final class Requests {
  private final URI endpoint;
  private final String region;
  private final AwsCredentialsProvider credentials;
  private final Clock clock;
  private final AwsV4HttpSigner signer = AwsV4HttpSigner.create();

  Requests(Config config, AwsCredentialsProvider credentials) {
    this(config, credentials, Clock.systemUTC());
  }

  Requests(Config config, AwsCredentialsProvider credentials, Clock clock) {
    this.endpoint = config.endpoint();
    this.region = config.region();
    this.credentials = credentials;
    this.clock = clock;
  }

  /** The bucket is in the path of a given endpoint, and in the name of AWS's if it has no dot. */
  SdkHttpRequest.Builder of(SdkHttpMethod method, String bucket, String key) {
    SdkHttpRequest.Builder request = SdkHttpRequest.builder().method(method);
    String path = "/" + SdkHttpUtils.urlEncodeIgnoreSlashes(key);
    if (endpoint != null) {
      return request.uri(endpoint).encodedPath("/" + bucket + path);
    }
    String suffix =
        region.startsWith("cn-")
            ? "amazonaws.com.cn"
            : region.startsWith("eusc-") ? "amazonaws.eu" : "amazonaws.com";
    String host = "s3." + region + "." + suffix;
    boolean dotted = bucket.contains("."); // which no certificate of AWS's covers
    return request
        .protocol("https")
        .host(dotted ? host : bucket + "." + host)
        .encodedPath(dotted ? "/" + bucket + path : path);
  }

  /**
   * The request with its signature.
   *
   * @param payload of a request that has one, else null
   */
  SdkHttpRequest signed(SdkHttpRequest.Builder unsigned, ContentStreamProvider payload) {
    boolean plain = unsigned.protocol().equals("http"); // nothing else protects a payload then
    return signer
        .sign(
            sign ->
                sign.identity(credentials.resolveCredentials())
                    .request(unsigned.build())
                    .payload(payload)
                    .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "s3")
                    .putProperty(AwsV4HttpSigner.REGION_NAME, region)
                    .putProperty(HttpSigner.SIGNING_CLOCK, clock)
                    .putProperty(AwsV4HttpSigner.PAYLOAD_SIGNING_ENABLED, plain)
                    .putProperty(AwsV4HttpSigner.DOUBLE_URL_ENCODE, false)
                    .putProperty(AwsV4HttpSigner.NORMALIZE_PATH, false))
        .request();
  }
}
