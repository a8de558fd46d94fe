// Step: store, with AWS's SDK. SPEC L4, R3, E5: each request is one attempt.
// Holds each body that it returns.
package rosetta;

import java.io.EOFException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.CommonPrefix;
import software.amazon.awssdk.services.s3.model.CopyObjectResponse;
import software.amazon.awssdk.services.s3.model.CopyObjectResult;
import software.amazon.awssdk.services.s3.model.EncodingType;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** S3 through one {@link S3Client}. */
final class SdkStore implements Store {
  final S3Client client; // its tests ask where it would send a request

  SdkStore(Config config, Map<String, String> env) {
    client =
        S3Client.builder()
            .region(Region.of(config.region()))
            .endpointOverride(config.endpoint())
            .forcePathStyle(config.endpoint() != null) // S10: no name but the endpoint's own
            .credentialsProvider(Credentials.provider(env))
            .httpClient(new SdkHttp(config))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .serviceConfiguration(
                S3Configuration.builder()
                    .chunkedEncodingEnabled(false) // W1: no content encoding
                    .expectContinueEnabled(false) // a round trip for each put
                    .build())
            .overrideConfiguration(all -> all.retryStrategy(AwsRetryStrategy.doNotRetry()))
            .build();
  }

  /** One attempt; what the SDK throws becomes {@link FailedAttempt}. */
  private static <T> T attempt(Callable<T> request) {
    try {
      return request.call();
    } catch (S3Exception e) {
      AwsErrorDetails details = e.awsErrorDetails();
      String code = details == null ? null : details.errorCode();
      throw new FailedAttempt(e.statusCode(), code == null ? "" : code, e.toString());
    } catch (AbortedException e) {
      Thread.currentThread().interrupt(); // which is why it was aborted
      throw new FailedAttempt(e);
    } catch (SdkException | IOException e) {
      throw new FailedAttempt(e);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e); // an attempt declares no others
    }
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    return attempt(
        () -> {
          ListObjectsV2Response page =
              client.listObjectsV2(
                  list ->
                      list.bucket(bucket)
                          .prefix(prefix)
                          .delimiter(delimiter)
                          .continuationToken(token)
                          .encodingType(EncodingType.URL)); // the SDK decodes it itself
          requireResult(page.isTruncated());
          return new Page(
              page.contents().stream().map(o -> new Entry(o.key(), o.size())).toList(),
              page.commonPrefixes().stream().map(CommonPrefix::prefix).toList(),
              page.isTruncated() ? page.nextContinuationToken() : null);
        });
  }

  @Override
  public byte[] get(String bucket, String key, int limitBytes) {
    byte[] read =
        attempt( // a stream that is handed out costs a timer, which lives on for a minute
            () ->
                client.getObject(
                    get -> get.bucket(bucket).key(key),
                    (response, body) -> wholeBody(response.contentLength(), body, limitBytes)));
    if (read == null) {
      throw Errors.ofSource(Errors.Code.TOO_LARGE, null);
    }
    return read;
  }

  /** Null when it is longer than the limit: the SDK would wrap what is thrown here. */
  private static byte[] wholeBody(long length, AbortableInputStream body, int limitBytes)
      throws IOException {
    boolean whole = false;
    try {
      if (length > limitBytes) {
        return null;
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
  public void put(String bucket, String key, Content content, String contentType) {
    RequestBody body =
        RequestBody.fromContentProvider(content::open, content.length(), contentType);
    attempt(
        () -> client.putObject(put -> put.bucket(bucket).key(key).contentType(contentType), body));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    attempt(
        () -> {
          CopyObjectResponse copied =
              client.copyObject(
                  copy ->
                      copy.sourceBucket(bucket)
                          .sourceKey(fromKey)
                          .destinationBucket(bucket)
                          .destinationKey(toKey));
          CopyObjectResult result = copied.copyObjectResult();
          requireResult(result == null ? null : result.eTag());
          return result;
        });
  }

  /** The SDK takes any XML for a result: an empty page would end the listing. */
  private static void requireResult(Object member) {
    if (member == null) {
      throw new FailedAttempt(200, "", "200 without a result");
    }
  }

  @Override
  public void delete(String bucket, String key) {
    attempt(() -> client.deleteObject(delete -> delete.bucket(bucket).key(key)));
  }
}
