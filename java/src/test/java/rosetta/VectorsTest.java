package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;
import rosetta.task.Invocation;

/** Runs the contract's vectors against the handler with the store in memory. */
class VectorsTest {
  private static final Path VECTORS = Path.of("../tests/vectors");
  private static final String REQUEST_ID = "test-request";
  private static final String SOURCE = "source-bucket";
  private static final String DESTINATION = "destination-bucket";

  private record Outcome(Object result, String error, List<Map<?, ?>> log) {}

  @TestFactory
  Stream<DynamicTest> vectors() throws IOException {
    List<Path> folders;
    try (Stream<Path> children = Files.list(VECTORS)) {
      folders = children.filter(Files::isDirectory).sorted().toList();
    }
    assertTrue(folders.size() > 100, "no vectors");
    return folders.stream()
        .map(
            folder ->
                DynamicTest.dynamicTest(folder.getFileName().toString(), () -> named(folder)));
  }

  /** Surefire's summary names the factory only, so the message has the vector's id. */
  private static void named(Path folder) throws IOException {
    try {
      run(folder);
    } catch (AssertionError e) {
      throw new AssertionError(folder.getFileName() + ": " + e.getMessage(), e);
    }
  }

  private static void run(Path folder) throws IOException {
    Vector vector = Vector.read(folder);
    assumeFalse("http".equals(vector.members().get("needs")), "only a real request shows it");
    MemoryStore store = new MemoryStore();
    vector
        .files("source")
        .forEach(
            (key, text) ->
                store.bucket(SOURCE).put(key, key.endsWith(".gz") ? Vector.gzip(text) : text));
    store.bucket(SOURCE).putAll(vector.objects(vector.list("objects")));
    store.bucket(DESTINATION).putAll(vector.objects(vector.list("destination")));
    for (Object item : vector.list("faults")) {
      Map<?, ?> fault = (Map<?, ?>) item;
      String key = ((String) fault.get("key")).replace("{request_id}", REQUEST_ID);
      store.failing((String) fault.get("operation"), key, (String) fault.get("code"));
    }
    Map<String, Object> published = new TreeMap<>();
    String bucket = DESTINATION;
    for (Object item : vector.list("steps")) {
      Map<?, ?> step = (Map<?, ?>) item;
      bucket = settings(vector, step).getOrDefault("DST_BUCKET", DESTINATION);
      step(vector, step, store, published);
    }
    if (store.buckets.containsKey(bucket)) {
      assertDestination(vector, store.bucket(bucket), published);
    }
  }

  private static void step(
      Vector vector, Map<?, ?> step, MemoryStore store, Map<String, Object> published)
      throws IOException {
    if (step.get("add") instanceof List<?> added) {
      store.bucket(SOURCE).putAll(vector.objects(added));
    }
    if (step.get("remove") instanceof List<?> removed) {
      removed.forEach(store.bucket(SOURCE)::remove);
    }
    Map<String, String> settings = settings(vector, step);
    Outcome outcome = invoke(settings, event(step), store);
    Map<?, ?> expect = (Map<?, ?>) step.get("expect");
    String error = (String) expect.get("error");
    assertEquals(
        error == null ? null : error.replace("{request_id}", REQUEST_ID),
        outcome.error(),
        () -> "the log: " + outcome.log());
    assertEquals(expect.get("result"), outcome.result());
    if (expect.get("bad") instanceof List<?> bad) {
      assertEquals(
          Set.copyOf(bad),
          outcome.log().stream()
              .filter(line -> line.get("event").equals("bad_source"))
              .map(line -> List.of(line.get("key"), line.get("code")))
              .collect(Collectors.toSet()));
    }
    Object manifest =
        expect.containsKey("published") ? expect.get("published") : expect.get("result");
    if (manifest instanceof Map<?, ?> result) {
      String day = ((String) result.get("day")).replace('-', '/') + "/";
      String dayPrefix =
          expect.get("day_prefix") instanceof String given
              ? given
              : settings.getOrDefault("DST_PREFIX", "") + day;
      published.put(dayPrefix, result);
      for (String key : store.bucket(settings.get("DST_BUCKET")).keySet()) {
        assertFalse(isHidden(key) && key.startsWith(dayPrefix), key);
      }
    }
  }

  private static Map<String, String> settings(Vector vector, Map<?, ?> step) {
    Map<String, String> settings = new HashMap<>();
    settings.put("AWS_REGION", "eu-west-1");
    settings.put("SRC_BUCKET", SOURCE);
    settings.put("DST_BUCKET", DESTINATION);
    for (Object layer : new Object[] {vector.members().get("settings"), step.get("settings")}) {
      if (layer instanceof Map<?, ?> members) {
        members.forEach((name, value) -> settings.put((String) name, (String) value));
      }
    }
    settings.values().removeIf(Objects::isNull);
    return settings;
  }

  private static byte[] event(Map<?, ?> step) {
    String text =
        step.get("event_text") instanceof String raw ? raw : Json.write(step.get("event"));
    return utf8(text);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static Outcome invoke(Map<String, String> settings, byte[] event, MemoryStore store)
      throws IOException {
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    Object result = null;
    String error = null;
    try {
      Invocation invocation =
          new Invocation(REQUEST_ID, Duration.ofMinutes(15), log, new CompletableFuture<>());
      Record value = new Handler(settings, config -> store).handle(event, invocation);
      result = Json.parse(utf8(Json.write(value)));
    } catch (RunFailure e) {
      error = e.getMessage();
    }
    List<Map<?, ?>> lines = new ArrayList<>();
    for (String line : log.toString(StandardCharsets.UTF_8).lines().toList()) {
      lines.add((Map<?, ?>) Json.parse(utf8(line)));
    }
    return new Outcome(result, error, lines);
  }

  /** Exactly what is expected and the manifests, but for hidden chunks of days that failed. */
  private static void assertDestination(
      Vector vector, Map<String, byte[]> destination, Map<String, Object> published)
      throws IOException {
    Map<String, String> expected = new TreeMap<>();
    for (Map.Entry<String, byte[]> file : vector.files("expected").entrySet()) {
      String key = file.getKey();
      expected.put(key.endsWith(".ndjson") ? key + ".gz" : key, text(file.getValue()));
    }
    for (Map.Entry<String, byte[]> o : vector.objects(vector.list("expected")).entrySet()) {
      expected.put(o.getKey(), text(o.getValue()));
    }
    Map<String, String> actual = new TreeMap<>();
    for (Map.Entry<String, byte[]> stored : destination.entrySet()) {
      String key = stored.getKey();
      String folder = key.substring(0, key.lastIndexOf('/') + 1);
      boolean isManifest = published.containsKey(folder) && key.endsWith("/_manifest.json");
      if (isManifest) {
        assertEquals(
            manifest(folder, published.get(folder), expected), Json.parse(stored.getValue()));
      } else if (!isHidden(key)) {
        actual.put(key, text(stored.getValue()));
      }
    }
    actual.keySet().removeIf(key -> key.startsWith("AWSLogs/")); // one bucket for both
    assertEquals(expected, actual);
  }

  private static Object manifest(String dayPrefix, Object result, Map<String, String> expected) {
    List<Object> chunks = new ArrayList<>();
    for (int n = 1; ; n++) {
      String key = String.format(Locale.ROOT, "%s%06d.ndjson.gz", dayPrefix, n);
      String text = n > (Double) ((Map<?, ?>) result).get("chunks") ? null : expected.get(key);
      if (text == null) {
        return Map.of("result", result, "chunks", chunks);
      }
      double records = text.chars().filter(c -> c == '\n').count();
      chunks.add(Map.of("key", key, "records", records, "bytes", (double) text.length()));
    }
  }

  private static boolean isHidden(String key) {
    return key.contains("/_" + REQUEST_ID + "-");
  }

  /** Inflated bytes as characters, so that failures can be read and nothing is lost. */
  private static String text(byte[] bytes) throws IOException {
    boolean isGzip = bytes.length > 1 && bytes[0] == 0x1f;
    return new String(isGzip ? Vector.gunzip(bytes) : bytes, StandardCharsets.ISO_8859_1);
  }
}
