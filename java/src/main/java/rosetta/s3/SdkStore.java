// The client `sdk`: AWS's SDK by its documented options, over Apache's HTTP client.
// One workaround: E5 wants a failed attempt for a 200 without the result of a listing or copy. The
// SDK takes any XML for a result, so requireResult looks for a member that every result has.
package rosetta.s3;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import rosetta.Config;
import rosetta.Errors.BadSource;
import rosetta.Errors.SourceCode;
import rosetta.Store;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.CommonPrefix;
import software.amazon.awssdk.services.s3.model.CopyObjectResult;
import software.amazon.awssdk.services.s3.model.EncodingType;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** S3 through one {@link S3Client}. */
final class SdkStore implements Store {
  final S3Client client; // its tests ask for the address of a request

  SdkStore(Config config, Map<String, String> env) {
    client =
        S3Client.builder()
            .region(Region.of(config.region()))
            .endpointOverride(config.endpoint())
            .forcePathStyle(config.endpoint() != null) // S10
            .credentialsProvider(Credentials.provider(env))
            .httpClientBuilder(
                Apache5HttpClient.builder()
                    .maxConnections(config.concurrency())
                    .connectionTimeout(Clients.CONNECT_TIMEOUT)
                    .socketTimeout(Clients.READ_TIMEOUT))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .serviceConfiguration(
                S3Configuration.builder()
                    .chunkedEncodingEnabled(false) // W1: no content encoding
                    .expectContinueEnabled(false) // saves a round trip for each put
                    .build())
            .overrideConfiguration(all -> all.retryStrategy(AwsRetryStrategy.doNotRetry()))
            .build();
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
                          .encodingType(EncodingType.URL)); // the SDK decodes the keys
          requireResult(page.isTruncated());
          return new Page(
              page.contents().stream().map(o -> new Entry(o.key(), o.size())).toList(),
              page.commonPrefixes().stream().map(CommonPrefix::prefix).toList(),
              page.isTruncated() ? page.nextContinuationToken() : null);
        });
  }

  @Override
  public byte[] get(String bucket, String key, int limitBytes) {
    byte[] body =
        attempt(
            () ->
                client.getObject(
                    get -> get.bucket(bucket).key(key),
                    (response, stream) -> read(response, stream, limitBytes)));
    if (body == null) {
      throw new BadSource(SourceCode.TOO_LARGE);
    }
    return body;
  }

  private static byte[] read(GetObjectResponse response, AbortableInputStream body, int limitBytes)
      throws IOException {
    Long length = response.contentLength();
    byte[] read = Body.read(body, length == null ? -1 : length, limitBytes);
    if (read == null) {
      body.abort(); // the SDK would read the rest
    }
    return read;
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
          CopyObjectResult result =
              client
                  .copyObject(
                      copy ->
                          copy.sourceBucket(bucket)
                              .sourceKey(fromKey)
                              .destinationBucket(bucket)
                              .destinationKey(toKey))
                  .copyObjectResult();
          requireResult(result == null ? null : result.eTag());
          return result;
        });
  }

  private static void requireResult(Object member) {
    if (member == null) {
      throw new FailedAttempt(200, "", "200 without a result");
    }
  }

  @Override
  public void delete(String bucket, String key) {
    attempt(() -> client.deleteObject(delete -> delete.bucket(bucket).key(key)));
  }

  @Override
  public void close() {
    client.close();
  }

  /** One attempt; the SDK's exceptions become {@link Store.FailedAttempt}. */
  private static <T> T attempt(Callable<T> request) {
    try {
      return request.call();
    } catch (S3Exception e) {
      AwsErrorDetails details = e.awsErrorDetails();
      String code = details == null ? null : details.errorCode();
      throw new FailedAttempt(e.statusCode(), code == null ? "" : code, e.toString());
    } catch (AbortedException e) {
      Thread.currentThread().interrupt(); // the SDK has cleared it
      throw new FailedAttempt(e);
    } catch (SdkException e) {
      throw new FailedAttempt(e);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e); // no request above throws a checked exception
    }
  }
}
