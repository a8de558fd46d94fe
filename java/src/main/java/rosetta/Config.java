// Step: config. SPEC S1 to S15, S17 to S19, S22: the environment becomes one immutable record, or
// the name of the first bad setting. Holds no credentials: the clients read them themselves.
package rosetta;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import rosetta.Errors.RunFailure;
import rosetta.s3.Network;

/**
 * The settings.
 *
 * @param endpoint S3's address, or null for AWS's own
 * @param authorities the certificates of AWS_CA_BUNDLE; none for the runtime's own
 * @param proxy the address of HTTPS_PROXY, or null
 * @param taskTimeout in seconds
 */
public record Config(
    String srcBucket,
    String srcPrefix,
    String dstBucket,
    String dstPrefix,
    int chunkBytes,
    int concurrency,
    int gzipLevel,
    int maxSourceBytes,
    Journal.Level logLevel,
    URI endpoint,
    String region,
    Client client,
    List<Certificate> authorities,
    URI proxy,
    String noProxy,
    int taskTimeout) {

  public enum Client {
    SDK,
    LIGHT
  }

  private static final Pattern BUCKET = Pattern.compile("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]");
  private static final Pattern PREFIX = Pattern.compile("(.*/)?", Pattern.DOTALL);
  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,10}");
  private static final Pattern LEVEL = Pattern.compile("DEBUG|INFO|WARN|ERROR");
  private static final Pattern ADDRESS =
      Pattern.compile("(https?://([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\])(:(?<port>[0-9]{1,5}))?/?)?");
  private static final Pattern PROXY = Pattern.compile("(http:.*)?", Pattern.DOTALL);
  private static final int MAX_PORT = 65535;
  private static final URI NOWHERE = URI.create("http://malformed-endpoint.invalid"); // RFC 6761
  private static final Pattern REGION = Pattern.compile("[a-z0-9-]+");
  private static final Pattern CLIENT = Pattern.compile("sdk|light");

  /** Throws {@code BAD_SETTINGS: <name>} for the first bad setting in SPEC's order. */
  public static Config fromEnv(Map<String, String> env) {
    String srcBucket = text(env, "SRC_BUCKET", null, BUCKET);
    String srcPrefix = text(env, "SRC_PREFIX", "", PREFIX);
    String dstBucket = text(env, "DST_BUCKET", null, BUCKET);
    String dstPrefix = text(env, "DST_PREFIX", "", PREFIX);
    if (srcBucket.equals(dstBucket) && dstPrefix.startsWith(srcPrefix + "AWSLogs/")) {
      throw bad("DST_PREFIX");
    }
    int chunkBytes = number(env, "CHUNK_BYTES", 64 << 20, 1 << 30);
    int concurrency = number(env, "CONCURRENCY", 16, 256);
    int gzipLevel = number(env, "GZIP_LEVEL", 1, 9);
    int maxSourceBytes = number(env, "MAX_SOURCE_BYTES", 128 << 20, 512 << 20);
    Journal.Level logLevel = Journal.Level.valueOf(text(env, "LOG_LEVEL", "INFO", LEVEL));
    URI endpoint = address(env, "AWS_ENDPOINT_URL_S3");
    String region = text(env, "AWS_REGION", env.get("AWS_DEFAULT_REGION"), REGION);
    String client = text(env, "S3_CLIENT", "sdk", CLIENT);
    List<Certificate> authorities = authorities(env);
    text(env, "HTTPS_PROXY", "", PROXY); // https:// is an address, but no proxy (S18)
    return new Config(
        srcBucket,
        srcPrefix,
        dstBucket,
        dstPrefix,
        chunkBytes,
        concurrency,
        gzipLevel,
        maxSourceBytes,
        logLevel,
        endpoint,
        region,
        Client.valueOf(client.toUpperCase(Locale.ROOT)),
        authorities,
        address(env, "HTTPS_PROXY"),
        env.getOrDefault("NO_PROXY", ""),
        number(env, "TASK_TIMEOUT", 3600, 172800));
  }

  private static String text(
      Map<String, String> env, String name, String defaultValue, Pattern allowed) {
    String value = env.getOrDefault(name, defaultValue);
    if (value == null || !allowed.matcher(value).matches()) {
      throw bad(name);
    }
    return value;
  }

  private static int number(Map<String, String> env, String name, int defaultValue, int max) {
    long value = Long.parseLong(text(env, name, Integer.toString(defaultValue), NUMBER));
    if (value < 1 || value > max) {
      throw bad(name);
    }
    return (int) value;
  }

  private static URI address(Map<String, String> env, String name) {
    Matcher parts = ADDRESS.matcher(env.getOrDefault(name, ""));
    if (!parts.matches()) {
      throw bad(name);
    }
    String port = parts.group("port");
    if (port != null && (Integer.parseInt(port) < 1 || Integer.parseInt(port) > MAX_PORT)) {
      throw bad(name);
    }
    if (parts.group().isEmpty()) {
      return null;
    }
    try {
      return new URI(parts.group()).parseServerAuthority();
    } catch (URISyntaxException e) {
      return NOWHERE; // no request reaches a host such as a..b either
    }
  }

  private static List<Certificate> authorities(Map<String, String> env) {
    try {
      return Network.certificates(env.getOrDefault("AWS_CA_BUNDLE", ""));
    } catch (IOException | CertificateException e) {
      throw bad("AWS_CA_BUNDLE");
    }
  }

  private static RunFailure bad(String name) {
    return new RunFailure(Errors.Code.BAD_SETTINGS, name);
  }
}
