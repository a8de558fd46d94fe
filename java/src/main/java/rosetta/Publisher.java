// Step: publisher. SPEC W2 to W10, O1: hidden chunks become published ones, and the manifest.
// Holds the keys of superseded and of hidden chunks.
package rosetta;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import rosetta.Errors.BadSource;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;

/** Publishes one run: first {@link #checkPublished}, then {@link #publish}. */
final class Publisher {
  /** The function's result (O1). */
  record Result(
      String day, long sources, long bad, long records, long bytes, int chunks, int deleted) {}

  /** What {@code _manifest.json} holds (W6). */
  private record Manifest(Result result, List<Published> chunks) {}

  /** A chunk in the manifest. */
  private record Published(String key, long records, long bytes) {}

  /** Chunks below the day prefix that have to go (W5, W7). */
  private record Leftovers(List<String> superseded, List<String> hidden) {}

  private static final Pattern CHUNK =
      Pattern.compile("(_.*-)?([0-9]{6}|[1-9][0-9]{6,})\\.ndjson\\.gz", Pattern.DOTALL);
  private static final int MANIFEST_LIMIT = 64 << 20;
  private static final double MOST_COUNTED = 1L << 53; // W2: up to here a double is exact

  private final Store store;
  private final String bucket;
  private final Trigger.Day day;
  private final String dayPrefix;
  private final String manifestKey;

  Publisher(Store store, Config config, Trigger.Day day) {
    this.store = store;
    this.bucket = config.dstBucket();
    this.day = day;
    this.dayPrefix = day.outputPrefix(config.dstPrefix());
    this.manifestKey = dayPrefix + "_manifest.json";
  }

  /** This, or throws BAD_MANIFEST or FEWER_SOURCES (W2, W3). */
  Publisher checkPublished(long readable) {
    Object manifest;
    try {
      manifest = Json.parse(store.get(bucket, manifestKey, MANIFEST_LIMIT).body());
    } catch (IOException e) {
      manifest = null;
    } catch (BadSource e) {
      if (e.code() == Errors.SourceCode.MISSING) {
        return this; // nothing is published yet
      }
      manifest = null; // it is too large, or archived
    }
    if (day.force()) {
      return this;
    }
    if (!(manifest instanceof Map<?, ?> members
        && members.get("result") instanceof Map<?, ?> result
        && isCount(result.get("sources"))
        && isCount(result.get("bad")))) {
      throw new RunFailure(Errors.Code.BAD_MANIFEST, Errors.escape(manifestKey));
    }
    long published =
        ((Double) result.get("sources")).longValue() - ((Double) result.get("bad")).longValue();
    if (published > readable) {
      throw new RunFailure(
          Errors.Code.FEWER_SOURCES, "published " + published + ", readable " + readable);
    }
    return this;
  }

  private static boolean isCount(Object value) {
    return value instanceof Double number
        && number >= 0
        && number <= MOST_COUNTED
        && number == Math.rint(number);
  }

  /** W4 to W7. */
  Result publish(List<Writer.Chunk> chunks, long sources, long bad) {
    for (int n = chunks.size(); n >= 1; n--) {
      store.copy(bucket, chunks.get(n - 1).hiddenKey(), publishedKey(n));
    }
    Leftovers leftovers = leftovers(BigInteger.valueOf(chunks.size()));
    leftovers.superseded().forEach(key -> store.delete(bucket, key));
    Result result =
        new Result(
            day.day().toString(),
            sources,
            bad,
            chunks.stream().mapToLong(Writer.Chunk::records).sum(),
            chunks.stream().mapToLong(Writer.Chunk::bytes).sum(),
            chunks.size(),
            leftovers.superseded().size());
    putManifest(result, chunks);
    leftovers.hidden().forEach(key -> store.delete(bucket, key));
    return result;
  }

  private String publishedKey(int n) {
    return String.format(Locale.ROOT, "%s%06d.ndjson.gz", dayPrefix, n);
  }

  /** Recognises chunks by name, directly below the day prefix (W8). */
  private Leftovers leftovers(BigInteger last) {
    Leftovers found = new Leftovers(new ArrayList<>(), new ArrayList<>());
    store
        .pages(bucket, dayPrefix, "/")
        .flatMap(page -> page.objects().stream().map(Store.Entry::key))
        .forEach(
            key -> {
              Matcher name = CHUNK.matcher(key.substring(dayPrefix.length()));
              if (name.matches() && name.group(1) != null) {
                found.hidden().add(key);
              } else if (name.matches() && new BigInteger(name.group(2)).compareTo(last) > 0) {
                found.superseded().add(key);
              }
            });
    return found;
  }

  private void putManifest(Result result, List<Writer.Chunk> chunks) {
    List<Published> published = new ArrayList<>();
    for (Writer.Chunk chunk : chunks) {
      String key = publishedKey(published.size() + 1);
      published.add(new Published(key, chunk.records(), chunk.bytes()));
    }
    String text = Json.write(new Manifest(result, published));
    Store.Content manifest = new Store.Bytes(text.getBytes(StandardCharsets.UTF_8));
    store.put(bucket, manifestKey, manifest, "application/json");
  }
}
