// The client `sdk`: AWS's SDK by its documented options, over Apache's HTTP client.
// Workarounds, because no option does this:
// - E5: the SDK takes any XML for the result of a listing or copy, so the methods look for a member
//   that every result has.
// - E5: the HTTP client takes a connection's end for the end of the headers. requireWholeHead looks
//   for the headers that every answer has. A delete has a connection of its own, which is not used
//   again after such an answer.
// - L8: the SDK takes a page of any length and content. PageLimit ends one that is too long, and
//   Outcomes checks the rest.
// - E9: after a failure, Renewed goes on with another client.
package rosetta.s3;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import rosetta.Config;
import rosetta.Store;
import software.amazon.awssdk.awscore.defaultsmode.DefaultsMode;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.apache5.ProxyConfiguration;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.auth.scheme.S3AuthSchemeProvider;
import software.amazon.awssdk.services.s3.endpoints.S3EndpointProvider;
import software.amazon.awssdk.services.s3.model.CommonPrefix;
import software.amazon.awssdk.services.s3.model.CopyObjectResponse;
import software.amazon.awssdk.services.s3.model.DeleteObjectResponse;
import software.amazon.awssdk.services.s3.model.EncodingType;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Request;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.model.S3Response;

/** S3 through one {@link S3Client}. */
final class SdkStore implements Store {
  final S3Client client; // its tests ask for the address of a request

  SdkStore(Config config, Map<String, String> env) {
    client =
        S3Client.builder()
            .region(Region.of(config.region()))
            .endpointOverride(endpoint(config))
            .forcePathStyle(config.endpoint() != null) // S10
            .credentialsProvider(Credentials.provider(env))
            .httpClientBuilder(http(config))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_SUPPORTED) // W14
            .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
            .serviceConfiguration(
                S3Configuration.builder()
                    .chunkedEncodingEnabled(false) // W1: no content encoding
                    .expectContinueEnabled(false) // saves a round trip for each put
                    .useArnRegionEnabled(false)
                    .multiRegionEnabled(false)
                    .build())
            .fipsEnabled(false)
            .dualstackEnabled(false)
            .defaultsMode(DefaultsMode.LEGACY)
            .disableS3ExpressSessionAuth(false)
            .authSchemeProvider(S3AuthSchemeProvider.defaultProvider())
            .overrideConfiguration(
                all ->
                    all.retryStrategy(AwsRetryStrategy.doNotRetry())
                        .defaultProfileFile(ProfileFile.aggregator().build()) // without a file
                        .defaultProfileName("default")
                        .appId("")
                        .addExecutionInterceptor(new PageLimit()))
            .build();
  }

  /** The given one, or AWS's own: without one, the SDK looks for others (S21). */
  private static URI endpoint(Config config) {
    if (config.endpoint() != null) {
      return config.endpoint();
    }
    return S3EndpointProvider.defaultProvider()
        .resolveEndpoint(of -> of.region(Region.of(config.region())))
        .join()
        .endpointUrl()
        .toUri();
  }

  private static SdkHttpClient.Builder<?> http(Config config) {
    return Apache5HttpClient.builder()
        .maxConnections(config.concurrency())
        .connectionTimeout(Network.CONNECT_TIMEOUT)
        .socketTimeout(Network.READ_TIMEOUT)
        .connectionMaxIdleTime(Network.MAX_IDLE_TIME) // E9
        .httpRoutePlanner(Network.routes(config))
        .tlsSocketStrategy(Network.tls(config))
        .proxyConfiguration(
            ProxyConfiguration.builder()
                .useSystemPropertyValues(false)
                .useEnvironmentVariableValues(false)
                .build());
  }

  /** L8. */
  private static final class PageLimit implements ExecutionInterceptor {
    @Override
    public Optional<InputStream> modifyHttpResponseContent(
        Context.ModifyHttpResponse answer, ExecutionAttributes unused) {
      return answer.request() instanceof ListObjectsV2Request
          ? answer.responseBody().map(Body::ofPage)
          : answer.responseBody();
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
                          .encodingType(EncodingType.URL)); // the SDK decodes the keys
          String next = Objects.requireNonNullElse(page.nextContinuationToken(), "");
          return Outcomes.checked(
              new Page(
                  page.contents().stream().map(o -> entry(o)).toList(),
                  page.commonPrefixes().stream().map(CommonPrefix::prefix).toList(),
                  required(page.isTruncated(), "IsTruncated") ? next : null),
              prefix);
        });
  }

  private static Entry entry(S3Object object) {
    return new Entry(required(object.key(), "Key"), required(object.size(), "Size"));
  }

  private static <T> T required(T member, String name) {
    if (member == null) {
      throw Outcomes.unlike("no " + name);
    }
    return member;
  }

  @Override
  public Stored get(String bucket, String key, int limitBytes) {
    return Outcomes.got(
        () ->
            attempt(
                () ->
                    client.getObject(
                        get -> get.bucket(bucket).key(key),
                        (answer, body) -> stored(answer, body, limitBytes))));
  }

  private static Stored stored(GetObjectResponse answer, AbortableInputStream body, int limitBytes)
      throws IOException {
    requireWholeHead(answer);
    long length = Objects.requireNonNullElse(answer.contentLength(), -1L);
    byte[] read = Body.read(body, length, limitBytes);
    if (read == null) {
      body.abort(); // the SDK would read the rest
    }
    return Outcomes.stored(read, answer.eTag());
  }

  @Override
  public Optional<String> put(String bucket, String key, Content body, String type, Condition on) {
    RequestBody sent = RequestBody.fromContentProvider(body::open, body.length(), type);
    return Outcomes.written(
        on,
        () ->
            attempt(
                () ->
                    requireWholeHead(
                            client.putObject(
                                put ->
                                    put.bucket(bucket)
                                        .key(key)
                                        .contentType(type)
                                        .ifNoneMatch(on.ifNoneMatch())
                                        .ifMatch(on.ifMatch()),
                                sent))
                        .eTag()));
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
          return required(copied.copyObjectResult().eTag(), "ETag of the copy");
        });
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    Outcomes.written(
        condition,
        () ->
            attempt(
                () ->
                    deleted(
                        client.deleteObject(
                            delete ->
                                delete
                                    .bucket(bucket)
                                    .key(key)
                                    .ifMatch(condition.ifMatch())
                                    .overrideConfiguration(
                                        o -> o.putHeader("Connection", "close"))))));
  }

  private static String deleted(DeleteObjectResponse answer) {
    requireWholeHead(answer);
    return ""; // it has no ETag
  }

  /** Each answer has a Date (RFC 9110), and all but 204 tell how their body ends. */
  private static <T extends S3Response> T requireWholeHead(T answer) {
    SdkHttpResponse head = answer.sdkHttpResponse();
    boolean isWhole =
        head.firstMatchingHeader("Date").isPresent()
            && (head.statusCode() == 204
                || Stream.of("Content-Length", "Transfer-Encoding", "Connection")
                    .anyMatch(name -> head.firstMatchingHeader(name).isPresent()));
    if (!isWhole) {
      throw Outcomes.unlike("the answer ends within its head");
    }
    return answer;
  }

  @Override
  public void close() {
    client.close();
  }

  /** One attempt; whatever the SDK throws becomes {@link FailedAttempt}. */
  private static <T> T attempt(Supplier<T> request) {
    try {
      return request.get();
    } catch (FailedAttempt e) {
      throw e;
    } catch (S3Exception e) {
      AwsErrorDetails details = e.awsErrorDetails();
      String code = details == null ? null : details.errorCode();
      throw new FailedAttempt(e.statusCode(), Objects.requireNonNullElse(code, ""), e.toString());
    } catch (AbortedException e) {
      Thread.currentThread().interrupt(); // the SDK has cleared it
      throw new FailedAttempt(e);
    } catch (RuntimeException e) {
      throw new FailedAttempt(e);
    }
  }
}
