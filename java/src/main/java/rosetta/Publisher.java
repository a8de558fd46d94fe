// Step: publisher. SPEC W2 to W10: hidden chunks become published ones, and the manifest.
// Holds no state of its own: what is published stands in S3.
package rosetta;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import rosetta.Errors.RunFailure;
import rosetta.concurrency.Work;
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

  private static final String CHUNK = "([0-9]{6}|[1-9][0-9]{6,})\\.ndjson\\.gz"; // W8
  private static final Pattern PUBLISHED = Pattern.compile(CHUNK);
  private static final Pattern HIDDEN = Pattern.compile("_.*-" + CHUNK, Pattern.DOTALL);
  private static final int MAX_MANIFEST_BYTES = 64 << 20;
  private static final double MAX_COUNT = 1L << 53; // W2: up to here a double is exact

  private final Store store;
  private final String bucket;
  private final Trigger.Day day;
  private final String dayPrefix;
  private final String manifestKey;
  private final Work work;

  Publisher(Store store, Config config, Trigger.Day day, Work work) {
    this.store = store;
    this.bucket = config.dstBucket();
    this.day = day;
    this.dayPrefix = day.outputPrefix(config.dstPrefix());
    this.manifestKey = dayPrefix + "_manifest.json";
    this.work = work;
  }

  /** Throws BAD_MANIFEST or FEWER_SOURCES (W2, W3). */
  void checkPublished(long readable) {
    Store.Stored stored = store.get(bucket, manifestKey, MAX_MANIFEST_BYTES);
    if (stored.fault() == Errors.SourceCode.MISSING) {
      return; // nothing is published yet
    }
    Object manifest = null; // unreadable
    try {
      manifest = stored.fault() == null ? Json.parse(stored.body()) : null;
    } catch (IOException e) {
      // it is no JSON
    }
    if (day.force()) {
      return;
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
  }

  private static boolean isCount(Object value) {
    return Json.isInteger(value, 0, MAX_COUNT);
  }

  /** W4 to W7. */
  Result publish(List<Writer.Chunk> chunks, long sources, long bad) throws InterruptedException {
    List<String> before = names();
    copy(chunks, Set.copyOf(before));
    List<String> superseded = before.stream().filter(n -> isAbove(n, chunks.size())).toList();
    work.sideBySide(superseded, name -> store.delete(bucket, dayPrefix + name));
    Result result =
        new Result(
            day.day().toString(),
            sources,
            bad,
            chunks.stream().mapToLong(Writer.Chunk::records).sum(),
            chunks.stream().mapToLong(Writer.Chunk::bytes).sum(),
            chunks.size(),
            superseded.size());
    putManifest(result, chunks);
    List<String> hidden = before.stream().filter(HIDDEN.asMatchPredicate()).toList();
    work.sideBySide(hidden, name -> store.delete(bucket, dayPrefix + name));
    return result;
  }

  /** What is directly below the day prefix. */
  private List<String> names() {
    return store
        .pages(bucket, dayPrefix, "/")
        .flatMap(page -> page.objects().stream())
        .map(object -> object.key().substring(dayPrefix.length()))
        .toList();
  }

  /** A name may have any number of digits. */
  private static boolean isAbove(String name, int last) {
    return PUBLISHED.matcher(name).matches()
        && new BigInteger(name.replace(".ndjson.gz", "")).compareTo(BigInteger.valueOf(last)) > 0;
  }

  /** New chunks side by side; then those that replace another one, downwards (W4). */
  private void copy(List<Writer.Chunk> chunks, Set<String> before) throws InterruptedException {
    Consumer<Integer> copy =
        n -> store.copy(bucket, chunks.get(n - 1).hiddenKey(), dayPrefix + name(n));
    List<Integer> added = new ArrayList<>();
    List<Integer> replacing = new ArrayList<>();
    for (int n = chunks.size(); n >= 1; n--) {
      (before.contains(name(n)) ? replacing : added).add(n);
    }
    work.sideBySide(added, copy);
    replacing.forEach(copy);
  }

  private static String name(int n) {
    return String.format(Locale.ROOT, "%06d.ndjson.gz", n);
  }

  private void putManifest(Result result, List<Writer.Chunk> chunks) {
    List<Published> published = new ArrayList<>();
    for (Writer.Chunk chunk : chunks) {
      String key = dayPrefix + name(published.size() + 1);
      published.add(new Published(key, chunk.records(), chunk.bytes()));
    }
    String text = Json.write(new Manifest(result, published));
    Store.Content manifest = new Store.Bytes(text.getBytes(StandardCharsets.UTF_8));
    store.put(bucket, manifestKey, manifest, "application/json");
  }
}
