// The choice between the two clients. SPEC S12, E5.
// Holds no state.
package rosetta.s3;

import java.time.Duration;
import java.util.Map;
import rosetta.Config;
import rosetta.Store;

/** Makes the sandbox's client. */
public final class Clients {
  /** E5, for each attempt of either client. */
  static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(3);

  static final Duration READ_TIMEOUT = Duration.ofSeconds(10);

  private Clients() {}

  /** Loads the classes of the chosen client only; sends no request yet. */
  public static Store open(Config config, Map<String, String> env) {
    return switch (config.client()) {
      case SDK -> new SdkStore(config, env);
      case LIGHT -> new LightStore(config, env);
    };
  }
}
