// Step: publisher. SPEC W2 to W10: hidden chunks are published, the manifest says so.
// Holds the keys of superseded and of hidden chunks.
package rosetta;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Publishes one run. */
final class Publisher {
  /**
   * What stands where below one day prefix (W1, W4, W6).
   *
   * @param dayPrefix ends in a slash
   */
  record Keys(String dayPrefix, String requestId) {
    static Keys of(Config config, Trigger.Day day, String requestId) {
      String account = day.account() == null ? "" : day.account() + "/";
      return new Keys(config.dstPrefix() + account + day.folder(), requestId);
    }

    String hidden(int n) {
      return String.format(Locale.ROOT, "%s_%s-%06d.ndjson.gz", dayPrefix, requestId, n);
    }

    String published(int n) {
      return String.format(Locale.ROOT, "%s%06d.ndjson.gz", dayPrefix, n);
    }

    String manifest() {
      return dayPrefix + "_manifest.json";
    }
  }

  private static final Pattern CHUNK =
      Pattern.compile("(_.*-)?([0-9]{6}|[1-9][0-9]{6,})\\.ndjson\\.gz", Pattern.DOTALL);
  private static final int MANIFEST_LIMIT = 64 << 20;
  private static final double MOST_COUNTED = 1L << 53; // W2: up to here a double is exact

  private final Store store;
  private final String bucket;
  private final Keys keys;
  private final Trigger.Day day;
  private final ExecutorService tasks;
  private final Deadline deadline;

  Publisher(
      Store store,
      Config config,
      Keys keys,
      Trigger.Day day,
      ExecutorService tasks,
      Deadline deadline) {
    this.store = store;
    this.bucket = config.dstBucket();
    this.keys = keys;
    this.day = day;
    this.tasks = tasks;
    this.deadline = deadline;
  }

  /**
   * Returns the result (O1). Throws BAD_MANIFEST or FEWER_SOURCES before anything visible changes.
   */
  Map<String, Object> publish(List<Writer.Chunk> chunks, long sources, long bad) {
    checkPublished(sources - bad);
    deadline.check();
    // From here on there is no giving up: half a publication is worse than a late one.
    for (int n = chunks.size(); n >= 1; n--) {
      store.copy(bucket, keys.hidden(n), keys.published(n));
    }
    List<String> superseded = new ArrayList<>();
    List<String> hidden = new ArrayList<>();
    findChunks(BigInteger.valueOf(chunks.size()), superseded, hidden);
    superseded.forEach(key -> store.delete(bucket, key));
    Map<String, Object> result =
        Json.object(
            "day", day.date().toString(),
            "sources", sources,
            "bad", bad,
            "records", chunks.stream().mapToLong(Writer.Chunk::records).sum(),
            "bytes", chunks.stream().mapToLong(Writer.Chunk::bytes).sum(),
            "chunks", chunks.size(),
            "deleted", superseded.size());
    putManifest(result, chunks);
    hidden.forEach(key -> store.delete(bucket, key));
    return result;
  }

  private void checkPublished(long readable) {
    Callable<byte[]> request = () -> store.get(bucket, keys.manifest(), MANIFEST_LIMIT);
    Object manifest;
    try {
      manifest = Json.parse(deadline.finish(tasks.submit(request)));
    } catch (IOException e) {
      manifest = null;
    } catch (AggregationException e) {
      if (e.code() == Errors.Code.MISSING) {
        return; // nothing is published yet
      }
      if (e.code() != Errors.Code.TOO_LARGE) {
        throw e;
      }
      manifest = null;
    }
    if (day.force()) {
      return;
    }
    if (manifest instanceof Map<?, ?> members
        && members.get("result") instanceof Map<?, ?> result
        && isCount(result.get("sources"))
        && isCount(result.get("bad"))) {
      long published =
          ((Double) result.get("sources")).longValue() - ((Double) result.get("bad")).longValue();
      if (published > readable) {
        throw new AggregationException(
            Errors.Code.FEWER_SOURCES, "published " + published + ", readable " + readable);
      }
      return;
    }
    throw new AggregationException(Errors.Code.BAD_MANIFEST, Errors.escape(keys.manifest()));
  }

  private static boolean isCount(Object value) {
    return value instanceof Double number
        && number >= 0
        && number <= MOST_COUNTED
        && number == Math.rint(number);
  }

  /**
   * Finds what W5 and W7 delete: chunks by their names, directly below the day prefix, and nothing
   * else (W8).
   */
  private void findChunks(BigInteger last, List<String> superseded, List<String> hidden) {
    String token = null;
    do {
      Store.Page page = store.listPage(bucket, keys.dayPrefix(), "/", token);
      for (Store.Entry entry : page.objects()) {
        Matcher name = CHUNK.matcher(entry.key().substring(keys.dayPrefix().length()));
        if (name.matches() && name.group(1) != null) {
          hidden.add(entry.key());
        } else if (name.matches() && new BigInteger(name.group(2)).compareTo(last) > 0) {
          superseded.add(entry.key());
        }
      }
      token = page.next();
    } while (token != null);
  }

  private void putManifest(Map<String, Object> result, List<Writer.Chunk> chunks) {
    List<Object> described = new ArrayList<>();
    for (Writer.Chunk chunk : chunks) {
      String key = keys.published(described.size() + 1);
      described.add(Json.object("key", key, "records", chunk.records(), "bytes", chunk.bytes()));
    }
    byte[] manifest =
        Json.write(Json.object("result", result, "chunks", described))
            .getBytes(StandardCharsets.UTF_8);
    store.put(bucket, keys.manifest(), Store.Content.of(manifest), "application/json");
  }
}
