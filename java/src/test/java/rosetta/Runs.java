package rosetta;

import java.io.OutputStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import rosetta.concurrency.Pace;
import rosetta.concurrency.Work;

/** What the steps' tests need around a step. */
public final class Runs {
  public static final String SOURCE = "source-bucket";
  public static final String DESTINATION = "destination-bucket";

  private Runs() {}

  /** Defaults, and the settings given as name, value, name, value. */
  public static Config config(String... settings) {
    Map<String, String> env = new HashMap<>();
    env.put("SRC_BUCKET", SOURCE);
    env.put("DST_BUCKET", DESTINATION);
    env.put("AWS_REGION", "eu-west-1");
    for (int i = 0; i < settings.length; i += 2) {
      env.put(settings[i], settings[i + 1]);
    }
    return Config.fromEnv(env);
  }

  /** The work of a run with time enough. */
  static Work work() {
    return new Work(new Pace(16), Duration.ofHours(1), IllegalStateException::new);
  }

  static Journal journal() {
    return new Journal("test-request", Journal.Level.DEBUG, OutputStream.nullOutputStream());
  }
}
