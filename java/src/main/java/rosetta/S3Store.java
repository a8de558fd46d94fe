// Step: store, the real one. SPEC L4, R3, S16: the SDK makes attempts, Attempts repeats them.
// Holds the connections of the sandbox, and each body that it returns.
package rosetta;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Semaphore;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.CommonPrefix;
import software.amazon.awssdk.services.s3.model.EncodingType;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;

/** S3 through one client; safe for concurrent use. */
final class S3Store implements Store {
  private static final Duration CONNECT = Duration.ofSeconds(3);
  private static final Duration SILENCE = Duration.ofSeconds(10);

  private final S3Client client;
  private final Attempts attempts;

  private S3Store(S3Client client, Attempts attempts) {
    this.client = client;
    this.attempts = attempts;
  }

  /** Makes the sandbox's client; asks nothing of S3 yet. */
  static Store.Opener opener(Config config, Map<String, String> env) {
    S3Client client =
        S3Client.builder()
            .region(Region.of(config.region()))
            .endpointOverride(config.endpoint())
            .credentialsProvider(credentials(env))
            .httpClientBuilder(
                Apache5HttpClient.builder()
                    .maxConnections(config.concurrency())
                    .connectionTimeout(CONNECT)
                    .socketTimeout(SILENCE)
                    .expectContinueEnabled(false)) // nor here: a round trip for each put
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .serviceConfiguration(
                S3Configuration.builder()
                    .chunkedEncodingEnabled(false) // W1: no content encoding
                    .expectContinueEnabled(false)
                    .build())
            .overrideConfiguration(all -> all.retryStrategy(AwsRetryStrategy.doNotRetry()))
            .build();
    Semaphore permits = new Semaphore(config.concurrency());
    return (journal, onFailure) -> new S3Store(client, new Attempts(permits, journal, onFailure));
  }

  private static AwsCredentialsProvider credentials(Map<String, String> env) {
    String id = env.getOrDefault("AWS_ACCESS_KEY_ID", "");
    String secret = env.getOrDefault("AWS_SECRET_ACCESS_KEY", "");
    String token = env.getOrDefault("AWS_SESSION_TOKEN", "");
    if (id.isEmpty() || secret.isEmpty()) {
      return ContainerCredentialsProvider.create(); // asks again before what it has expires
    }
    return StaticCredentialsProvider.create(
        token.isEmpty()
            ? AwsBasicCredentials.create(id, secret)
            : AwsSessionCredentials.create(id, secret, token));
  }

  @Override
  public Store countedAs(Journal.Phase phase) {
    return new S3Store(client, attempts.countedAs(phase));
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    return attempts.request(
        "list",
        prefix,
        () -> {
          ListObjectsV2Response page =
              client.listObjectsV2(
                  list ->
                      list.bucket(bucket)
                          .prefix(prefix)
                          .delimiter(delimiter)
                          .continuationToken(token)
                          .encodingType(EncodingType.URL)); // the SDK decodes it itself
          return new Page(
              page.contents().stream().map(o -> new Entry(o.key(), o.size())).toList(),
              page.commonPrefixes().stream().map(CommonPrefix::prefix).toList(),
              Boolean.TRUE.equals(page.isTruncated()) ? page.nextContinuationToken() : null);
        });
  }

  @Override
  public byte[] get(String bucket, String key, int limitBytes) {
    return attempts.request(
        "get",
        key,
        () -> {
          try (ResponseInputStream<GetObjectResponse> body =
              client.getObject(get -> get.bucket(bucket).key(key))) {
            return wholeBody(body, limitBytes);
          }
        });
  }

  private static byte[] wholeBody(ResponseInputStream<GetObjectResponse> body, int limitBytes)
      throws IOException {
    boolean whole = false;
    try {
      long length = body.response().contentLength();
      if (length > limitBytes) {
        throw Errors.ofSource(Errors.Code.TOO_LARGE, null);
      }
      byte[] bytes = new byte[(int) length];
      if (body.readNBytes(bytes, 0, bytes.length) < bytes.length) {
        throw new EOFException("body shorter than its Content-Length");
      }
      whole = true;
      return bytes;
    } finally {
      if (!whole) {
        body.abort(); // closing alone would read on
      }
    }
  }

  @Override
  public void put(String bucket, String key, byte[] bytes, int length, String contentType) {
    RequestBody body =
        RequestBody.fromContentProvider(
            () -> new ByteArrayInputStream(bytes, 0, length), length, contentType);
    attempts.request(
        "put",
        key,
        () -> client.putObject(put -> put.bucket(bucket).key(key).contentType(contentType), body));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    attempts.request(
        "copy",
        toKey,
        () ->
            client.copyObject(
                copy ->
                    copy.sourceBucket(bucket)
                        .sourceKey(fromKey)
                        .destinationBucket(bucket)
                        .destinationKey(toKey)));
  }

  @Override
  public void delete(String bucket, String key) {
    attempts.request(
        "delete", key, () -> client.deleteObject(delete -> delete.bucket(bucket).key(key)));
  }
}
