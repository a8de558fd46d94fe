// Beside the steps: what SnapStart's snapshot holds beyond the init. SPEC S14.
// Holds nothing of its own.
package rosetta;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;

/**
 * Does before the snapshot what a run does for each source, so that a restored sandbox has the
 * classes, compiled. It reads only, and what fails here fails an invocation, too: there it is told.
 */
final class Snapshot implements Resource {
  private static final int SOURCES = 1_000; // enough to be compiled
  private static final int REQUESTS = 200; // of each kind, a few seconds on AWS
  private static final String NO_KEY = "AWSLogs/no-account";
  private static final String RECORD =
      "{\"eventVersion\":\"1.08\",\"userAgent\":\"\u00fc\",\"n\":1.5e3}";

  private final Config config;
  private final Store store;
  private final Inflater inflater;
  private final Splitter splitter;

  Snapshot(Config config, Store store, Inflater inflater, Splitter splitter) {
    this.config = config;
    this.store = store;
    this.inflater = inflater;
    this.splitter = splitter;
  }

  /** Lambda keeps no other hold of it than the caller's. */
  Snapshot registered() {
    Core.getGlobalContext().register(this);
    return this;
  }

  @Override
  public void beforeCheckpoint(Context<? extends Resource> context) throws IOException {
    byte[] body = gzipped("{\"Records\":[" + RECORD + "," + RECORD + "]}");
    for (int i = 0; i < SOURCES; i++) {
      Inflater.Text text = inflater.inflate(body);
      splitter.split(text.bytes(), text.length());
    }
    try {
      for (int i = 0; i < REQUESTS; i++) {
        ask();
      }
    } catch (AggregationException e) {
      // an S3 that can't be asked yet
    }
  }

  private void ask() {
    store.listPage(config.srcBucket(), config.srcPrefix() + NO_KEY, "/", null);
    try {
      store.get(config.srcBucket(), config.srcPrefix() + NO_KEY, config.maxSourceBytes());
    } catch (AggregationException e) {
      if (e.code() != Errors.Code.MISSING) {
        throw e;
      }
    }
  }

  @Override
  public void afterRestore(Context<? extends Resource> context) {
    // connections that died meanwhile are replaced by the pool, expired keys by their provider
  }

  private static byte[] gzipped(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream gzip = new GZIPOutputStream(bytes)) {
      gzip.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }
}
