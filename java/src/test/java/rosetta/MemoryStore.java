package rosetta;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import rosetta.Errors.SourceCode;

/**
 * The store's twin in memory: buckets, pages, and requests that fail for good. It records what it
 * was asked.
 */
public final class MemoryStore implements Store {
  final Map<String, NavigableMap<String, byte[]>> buckets = new HashMap<>();
  final Map<String, String> contentTypes = new HashMap<>();
  final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  private final Map<String, String> faults = new HashMap<>();
  private final int pageSize;

  /**
   * Is told of each listing's prefix, and each get's and copy's key, before these are answered, and
   * may wait.
   */
  BiConsumer<String, String> before = (operation, key) -> {};

  /** Is told of each delete's key before it is made, and may wait. */
  Consumer<String> beforeDelete = key -> {};

  /** What happens between a get and what follows it. */
  Runnable afterGet = () -> {};

  MemoryStore() {
    this(1000);
  }

  MemoryStore(int pageSize) {
    this.pageSize = pageSize;
  }

  NavigableMap<String, byte[]> bucket(String name) {
    return buckets.computeIfAbsent(name, unused -> new TreeMap<>(Store.BYTE_ORDER));
  }

  MemoryStore with(String bucket, String key, String text) {
    bucket(bucket).put(key, text.getBytes(StandardCharsets.UTF_8));
    return this;
  }

  /** Lets every such request fail; {@code NoSuchKey} of a get is a missing source. */
  MemoryStore failing(String operation, String key, String code) {
    faults.put(operation + " " + key, code);
    return this;
  }

  @Override
  public Store countedAs(Journal.Phase phase) {
    return this;
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    before.accept("list", prefix);
    return page(bucket, prefix, delimiter, token);
  }

  private synchronized Page page(String bucket, String prefix, String delimiter, String token) {
    begin("list", bucket, prefix);
    List<Entry> objects = new ArrayList<>();
    List<String> prefixes = new ArrayList<>();
    String after = token == null ? "" : token;
    for (Map.Entry<String, byte[]> stored : bucket(bucket).tailMap(prefix, true).entrySet()) {
      String key = stored.getKey();
      if (!key.startsWith(prefix)) {
        break;
      }
      int cut = delimiter == null ? -1 : key.indexOf(delimiter, prefix.length());
      String item = cut < 0 ? key : key.substring(0, cut + 1);
      boolean seen = !prefixes.isEmpty() && prefixes.get(prefixes.size() - 1).equals(item);
      if (seen || Store.BYTE_ORDER.compare(item, after) <= 0) {
        continue;
      }
      if (objects.size() + prefixes.size() == pageSize) {
        return new Page(objects, prefixes, last(objects, prefixes));
      }
      if (cut < 0) {
        objects.add(new Entry(key, stored.getValue().length));
      } else {
        prefixes.add(item);
      }
    }
    return new Page(objects, prefixes, null);
  }

  private static String last(List<Entry> objects, List<String> prefixes) {
    String object = objects.isEmpty() ? "" : objects.get(objects.size() - 1).key();
    String prefix = prefixes.isEmpty() ? "" : prefixes.get(prefixes.size() - 1);
    return Store.BYTE_ORDER.compare(object, prefix) > 0 ? object : prefix;
  }

  @Override
  public Stored get(String bucket, String key, int limitBytes) {
    before.accept("get", key);
    Stored stored = stored(bucket, key, limitBytes);
    afterGet.run();
    return stored;
  }

  /** Of the body's beginning: only the claim's matters. */
  private static String etag(byte[] body) {
    return Integer.toHexString(Arrays.hashCode(Arrays.copyOf(body, 1000)));
  }

  private synchronized Stored stored(String bucket, String key, int limitBytes) {
    boolean isMissing = "NoSuchKey".equals(faults.get("get " + key));
    if (!isMissing) {
      begin("get", bucket, key);
    } else {
      requests.add("get " + key);
    }
    byte[] body = bucket(bucket).get(key);
    if (isMissing || body == null) {
      return new Stored(SourceCode.MISSING, null, null);
    }
    if (body.length > limitBytes) {
      return new Stored(SourceCode.TOO_LARGE, null, etag(body));
    }
    return new Stored(null, body.clone(), etag(body)); // the splitter overwrites it
  }

  @Override
  public synchronized Optional<String> put(
      String bucket, String key, Content content, String contentType, Condition condition) {
    begin("put", bucket, key);
    if (isRefused(condition, bucket(bucket).get(key))) {
      return Optional.empty();
    }
    byte[] body = bytes(content);
    bucket(bucket).put(key, body);
    contentTypes.put(key, contentType);
    return Optional.of(etag(body));
  }

  private static boolean isRefused(Condition condition, byte[] present) {
    if (condition.ifMatch() != null) {
      return present == null || !condition.ifMatch().equals(etag(present));
    }
    return condition.ifNoneMatch() != null && present != null;
  }

  private static byte[] bytes(Content content) {
    try {
      return content.open().readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    before.accept("copy", toKey);
    copied(bucket, fromKey, toKey);
  }

  private synchronized void copied(String bucket, String fromKey, String toKey) {
    begin("copy", bucket, toKey);
    byte[] body = bucket(bucket).get(fromKey);
    if (body == null) {
      throw Errors.ofRequest("copy", toKey, "NoSuchKey", null);
    }
    bucket(bucket).put(toKey, body);
    contentTypes.put(toKey, contentTypes.get(fromKey));
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    beforeDelete.accept(key);
    remove(bucket, key, condition);
  }

  private synchronized void remove(String bucket, String key, Condition condition) {
    begin("delete", bucket, key);
    if (!isRefused(condition, bucket(bucket).get(key))) {
      bucket(bucket).remove(key);
    }
  }

  private void begin(String operation, String bucket, String key) {
    requests.add(operation + " " + key);
    if (!buckets.containsKey(bucket)) {
      throw Errors.ofRequest(operation, key, "NoSuchBucket", null);
    }
    String code = faults.get(operation + " " + key);
    if (code != null) {
      throw Errors.ofRequest(operation, key, code, null);
    }
  }
}
