package rosetta.tuning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.crac.Resource;
import org.junit.jupiter.api.Test;
import rosetta.Config;
import rosetta.Errors.SourceCode;
import rosetta.Inflater;
import rosetta.Runs;
import rosetta.Splitter;
import rosetta.Store;
import rosetta.s3.FailedAttempt;

class SnapshotTest {
  private final Config config = Runs.config("SRC_PREFIX", "logs/");

  /** Lists nothing and has no key; each other request is a fault of the test. */
  private static final class Client implements Store {
    final List<String> requests = new ArrayList<>();
    String refuses = "";
    boolean closed;

    private void begin(String request) {
      requests.add(request);
      if (request.startsWith(refuses) && !refuses.isEmpty()) {
        throw new FailedAttempt(403, "AccessDenied", "refused");
      }
    }

    @Override
    public Page listPage(String bucket, String prefix, String delimiter, String token) {
      begin("list " + bucket + " " + prefix);
      return new Page(List.of(), List.of(), null);
    }

    @Override
    public Stored get(String bucket, String key, int limitBytes) {
      begin("get " + bucket + " " + key);
      return new Stored(SourceCode.MISSING, null, null);
    }

    @Override
    public Optional<String> put(
        String bucket, String key, Content content, String contentType, Condition condition) {
      throw new AssertionError("put");
    }

    @Override
    public void copy(String bucket, String fromKey, String toKey) {
      throw new AssertionError("copy");
    }

    @Override
    public void delete(String bucket, String key, Condition condition) {
      throw new AssertionError("delete");
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  private Client rehearsed(String refuses) throws Exception {
    Client client = new Client();
    client.refuses = refuses;
    Inflater inflater = new Inflater(config.maxSourceBytes());
    Resource snapshot = new Snapshot(config, () -> client, inflater, new Splitter());
    snapshot.beforeCheckpoint(null);
    assertTrue(client.closed);
    return client;
  }

  @Test
  void onlyReads() throws Exception {
    Client client = rehearsed("");
    assertEquals(
        Set.of(
            "list source-bucket logs/AWSLogs/no-account",
            "get source-bucket logs/AWSLogs/no-account"),
        Set.copyOf(client.requests));
    assertTrue(client.requests.size() > 2);
  }

  @Test
  void stopsAtTheFirstRefusal() throws Exception {
    assertEquals(1, rehearsed("list").requests.size());
    assertEquals(2, rehearsed("get").requests.size());
  }
}
