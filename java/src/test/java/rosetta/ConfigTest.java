package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.RunFailure;

class ConfigTest {
  private static Map<String, String> env() {
    Map<String, String> env = new HashMap<>();
    env.put("SRC_BUCKET", "source-bucket");
    env.put("DST_BUCKET", "destination-bucket");
    env.put("AWS_REGION", "eu-west-1");
    return env;
  }

  @Test
  void hasDefaults() {
    Config config = Config.fromEnv(env());
    assertEquals("", config.srcPrefix());
    assertEquals(67108864, config.chunkBytes());
    assertEquals(16, config.concurrency());
    assertEquals(1, config.gzipLevel());
    assertEquals(134217728, config.maxSourceBytes());
    assertEquals(Journal.Level.INFO, config.logLevel());
    assertNull(config.endpoint());
    assertEquals(Config.Client.SDK, config.client());
  }

  @Test
  void takesEitherClient() {
    assertEquals(Config.Client.SDK, Runs.config("S3_CLIENT", "sdk").client());
    assertEquals(Config.Client.LIGHT, Runs.config("S3_CLIENT", "light").client());
  }

  @Test
  void takesTheDefaultRegionOnlyWhenThereIsNoRegion() {
    Map<String, String> env = env();
    env.put("AWS_DEFAULT_REGION", "us-east-1");
    assertEquals("eu-west-1", Config.fromEnv(env).region());
    env.remove("AWS_REGION");
    assertEquals("us-east-1", Config.fromEnv(env).region());
  }

  @Test
  void readsAnEndpoint() {
    Map<String, String> env = env();
    env.put("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:7070");
    assertEquals(URI.create("http://127.0.0.1:7070"), Config.fromEnv(env).endpoint());
    env.put("AWS_ENDPOINT_URL_S3", "https://[::1]:65535/");
    assertEquals(URI.create("https://[::1]:65535/"), Config.fromEnv(env).endpoint());
    env.put("AWS_ENDPOINT_URL_S3", "");
    assertNull(Config.fromEnv(env).endpoint());
  }

  @ParameterizedTest
  @CsvSource({
    "SRC_BUCKET,A-bucket",
    "SRC_BUCKET,ab",
    "SRC_PREFIX,no-slash",
    "DST_BUCKET,''",
    "DST_PREFIX,no-slash",
    "CHUNK_BYTES,0",
    "CHUNK_BYTES,1073741825",
    "CHUNK_BYTES,' 1'",
    "CONCURRENCY,257",
    "CONCURRENCY,''",
    "GZIP_LEVEL,10",
    "MAX_SOURCE_BYTES,536870913",
    "LOG_LEVEL,info",
    "AWS_ENDPOINT_URL_S3,127.0.0.1:7070",
    "AWS_ENDPOINT_URL_S3,http://",
    "AWS_ENDPOINT_URL_S3,http://bad host",
    "AWS_ENDPOINT_URL_S3,http://under_score",
    "AWS_ENDPOINT_URL_S3,http://user@host",
    "AWS_ENDPOINT_URL_S3,http://host/path",
    "AWS_ENDPOINT_URL_S3,http://host:",
    "AWS_ENDPOINT_URL_S3,http://127.0.0.1:0",
    "AWS_ENDPOINT_URL_S3,http://127.0.0.1:65536",
    "AWS_ENDPOINT_URL_S3,http://127.0.0.1:99999",
    "AWS_ENDPOINT_URL_S3,ftp://host",
    "AWS_REGION,EU",
    "AWS_CA_BUNDLE,/nowhere/authorities.pem",
    "AWS_CA_BUNDLE,pom.xml",
    "HTTPS_PROXY,https://proxy.example",
    "HTTPS_PROXY,proxy.example:3128",
    "HTTPS_PROXY,http://user:word@proxy.example",
    "HTTPS_PROXY,http://proxy.example/path",
    "HTTPS_PROXY,http://proxy.example:0",
    "S3_CLIENT,http",
    "S3_CLIENT,Light",
    "S3_CLIENT,''",
  })
  void namesTheBadSetting(String name, String value) {
    Map<String, String> env = env();
    env.put(name, value);
    assertBad(name, env);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"http://[:::]", "https://[1.2]:7", "http://a..b", "http://-a", "http://1.2.3.4.5"})
  void takesHostsThatCannotExist(String endpoint) {
    assertEquals(
        "malformed-endpoint.invalid",
        Runs.config("AWS_ENDPOINT_URL_S3", endpoint).endpoint().getHost());
  }

  @Test
  void refusesOutputThatWouldBecomeInput() {
    Map<String, String> env = env();
    env.put("DST_BUCKET", "source-bucket");
    env.put("SRC_PREFIX", "trail/");
    env.put("DST_PREFIX", "trail/AWSLogs/");
    assertBad("DST_PREFIX", env);
  }

  @Test
  void namesTheFirstOfSeveral() {
    assertBad("SRC_BUCKET", Map.of("CONCURRENCY", "x"));
  }

  private static void assertBad(String name, Map<String, String> env) {
    RunFailure e = assertThrows(RunFailure.class, () -> Config.fromEnv(env));
    assertEquals("BAD_SETTINGS: " + name, e.getMessage());
  }
}
