// Tuning: what a sandbox keeps from one invocation to the next. Skip on first reading.
// The plain version makes all of it anew for each invocation. With a new Inflater for each, which
// drops its buffer, the peak memory of sources of 100 MiB is 1.56 times as high, and with a new
// ChunkBuffer, that of 20,000 sources 1.08 times (docs/performance/java.md).
package rosetta.tuning;

import java.util.Map;
import java.util.function.Supplier;
import rosetta.Config;
import rosetta.Inflater;
import rosetta.Splitter;
import rosetta.Store;

/** The buffers, for one run at a time. */
public final class Sandbox {
  /** What one run uses, and the next one again. */
  public record Kept(Inflater inflater, Splitter splitter, ChunkBuffer chunk, Heap heap) {}

  private final Config config;
  private Kept kept;

  @SuppressWarnings("UnusedVariable") // Lambda holds it by a weak reference
  private Snapshot snapshot;

  public Sandbox(Config config, Map<String, String> env, Supplier<Store> connect) {
    this.config = config;
    this.kept = fresh();
    if ("snap-start".equals(env.get("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
      snapshot = new Snapshot(config, connect, kept.inflater(), kept.splitter()).registered();
    }
  }

  private Kept fresh() {
    return new Kept(
        new Inflater(config.maxSourceBytes()), new Splitter(), new ChunkBuffer(), new Heap());
  }

  /** The kept buffers, or new ones if the run before has not given them back. */
  public Kept take() {
    Kept taken = kept == null ? fresh() : kept;
    kept = null;
    return taken;
  }

  public void keep(Kept given) {
    kept = given;
  }
}
