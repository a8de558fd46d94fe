// The choice between the two clients. SPEC S12, E9.
// Holds no state.
package rosetta.s3;

import java.util.Map;
import rosetta.Config;
import rosetta.Store;

/** Makes the sandbox's client. */
public final class Clients {
  private Clients() {}

  /** Loads the classes of the chosen client only; sends no request yet. */
  public static Store open(Config config, Map<String, String> env) {
    return switch (config.client()) {
      case SDK -> new Renewed(() -> new SdkStore(config, env));
      case LIGHT -> new Renewed(() -> new LightStore(config, env));
    };
  }
}
