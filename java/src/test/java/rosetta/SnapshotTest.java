package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.crac.Resource;
import org.junit.jupiter.api.Test;

class SnapshotTest {
  private final Config config = Runs.config("SRC_PREFIX", "logs/");
  private final Splitter splitter = new Splitter();

  private Resource snapshot(Store store) {
    return new Snapshot(config, store, new Inflater(config.maxSourceBytes()), splitter);
  }

  @Test
  void onlyReads() throws Exception {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.SOURCE);
    snapshot(store).beforeCheckpoint(null);
    assertEquals(
        Set.of("list logs/AWSLogs/no-account", "get logs/AWSLogs/no-account"),
        Set.copyOf(store.requests));
    assertTrue(store.requests.size() > 2);
    assertEquals(Map.of(Runs.SOURCE, Map.of()), store.buckets);
  }

  @Test
  void stopsAtTheFirstRefusal() throws Exception {
    MemoryStore store = new MemoryStore();
    store.bucket(Runs.SOURCE);
    store.failing("get", "logs/AWSLogs/no-account", "AccessDenied");
    snapshot(store).beforeCheckpoint(null);
    assertEquals(2, store.requests.size());
  }

  @Test
  void fallsSilentWhereS3CannotBeAsked() throws Exception {
    MemoryStore store = new MemoryStore(); // without buckets
    snapshot(store).beforeCheckpoint(null);
    assertEquals(List.of("list logs/AWSLogs/no-account"), store.requests);
  }
}
