// The credentials, for both clients. SPEC S16: two sources; the SDK's chain has more.
// Holds what the container endpoint gave, until shortly before that expires.
package rosetta.s3;

import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.ContainerCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;

/** Where both clients have their keys from. */
final class Credentials {
  private static final String OF_ECS = "http://169.254.170.2"; // the SDK would look for another

  private Credentials() {}

  static AwsCredentialsProvider provider(Map<String, String> env) {
    String id = env.getOrDefault("AWS_ACCESS_KEY_ID", "");
    String secret = env.getOrDefault("AWS_SECRET_ACCESS_KEY", "");
    String token = env.getOrDefault("AWS_SESSION_TOKEN", "");
    if (id.isEmpty() || secret.isEmpty()) {
      String path = env.getOrDefault("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "");
      String whole = env.getOrDefault("AWS_CONTAINER_CREDENTIALS_FULL_URI", "");
      // The SDK appends a path that is set, even an empty one. It asks again before keys expire.
      String before = path.isEmpty() ? whole : OF_ECS;
      return ContainerCredentialsProvider.builder().endpoint(before).build();
    }
    return StaticCredentialsProvider.create(
        token.isEmpty()
            ? AwsBasicCredentials.create(id, secret)
            : AwsSessionCredentials.create(id, secret, token));
  }
}
