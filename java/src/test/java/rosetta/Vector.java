package rosetta;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import rosetta.json.Json;

/** One folder of tests/vectors as tests/README.md describes it. */
record Vector(Path folder, Map<?, ?> members) {
  static Vector read(Path folder) throws IOException {
    return new Vector(
        folder, (Map<?, ?>) Json.parse(Files.readAllBytes(folder.resolve("case.json"))));
  }

  List<?> list(String member) {
    return members.get(member) instanceof List<?> list ? list : List.of();
  }

  /** The folder's files below {@code source} or {@code expected}, by key. */
  Map<String, byte[]> files(String below) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    Path root = folder.resolve(below);
    if (Files.isDirectory(root)) {
      try (Stream<Path> paths = Files.walk(root)) {
        for (Path path : paths.filter(Files::isRegularFile).toList()) {
          String key = root.relativize(path).toString().replace('\\', '/');
          files.put(key, Files.readAllBytes(path));
        }
      }
    }
    return files;
  }

  /** The objects of a list in case.json, by key. */
  Map<String, byte[]> objects(List<?> described) throws IOException {
    Map<String, byte[]> objects = new TreeMap<>();
    for (Object item : described) {
      Map<?, ?> object = (Map<?, ?>) item;
      byte[] body = body((Map<?, ?>) object.get("body"));
      for (int n = 0; n < number(object.get("count"), 1); n++) {
        objects.put(
            ((String) object.get("key")).replace("{n}", String.format(Locale.ROOT, "%012d", n)),
            body);
      }
    }
    return objects;
  }

  private byte[] body(Map<?, ?> body) throws IOException {
    if (body.get("text") instanceof String text) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
    if (body.get("file") instanceof String file) {
      return Files.readAllBytes(folder.resolve(file));
    }
    if (body.get("hex") instanceof String hex) {
      return HexFormat.of().parseHex(hex);
    }
    ByteArrayOutputStream joined = new ByteArrayOutputStream();
    if (body.get("concat") instanceof List<?> parts) {
      for (Object part : parts) {
        joined.write(body((Map<?, ?>) part));
      }
      return joined.toByteArray();
    }
    if (body.get("repeat") instanceof Map<?, ?> part) {
      byte[] one = body(part);
      for (int n = 0; n < number(body.get("count"), 1); n++) {
        joined.write(one);
      }
      return joined.toByteArray();
    }
    byte[] gzipped = gzip(body((Map<?, ?>) body.get("gzip")));
    byte[] changed = Arrays.copyOf(gzipped, gzipped.length - number(body.get("cut"), 0));
    if (body.get("set") instanceof List<?> changes) {
      for (Object item : changes) {
        Map<?, ?> change = (Map<?, ?>) item;
        byte[] bytes = HexFormat.of().parseHex((String) change.get("hex"));
        int at = Math.floorMod(number(change.get("at"), 0), changed.length);
        System.arraycopy(bytes, 0, changed, at, bytes.length);
      }
    }
    return changed;
  }

  static int number(Object value, int otherwise) {
    return value instanceof Double number ? number.intValue() : otherwise;
  }

  static byte[] gzip(byte[] text) {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(body)) {
      gzip.write(text);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return body.toByteArray();
  }

  static byte[] gunzip(byte[] body) throws IOException {
    try (GZIPInputStream gzip = new GZIPInputStream(new ByteArrayInputStream(body))) {
      return gzip.readAllBytes();
    }
  }
}
