package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import rosetta.Errors.RunFailure;
import rosetta.tuning.ChunkBuffer;

class WriterTest {
  private static final String PREFIX = "2024/02/08/_test-request-";

  private final MemoryStore store = new MemoryStore();
  private final ChunkBuffer compressed = new ChunkBuffer();
  private final List<Integer> puts = new ArrayList<>();

  private Writer writer(String... settings) {
    store.bucket(Runs.DESTINATION);
    Config config = Runs.config(settings);
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, false);
    return new Writer(store, config, day, Runs.journal(), compressed, puts::add);
  }

  private static Splitter.Records records(String lines) {
    byte[] bytes = (lines + "beyond").getBytes(StandardCharsets.UTF_8);
    return new Splitter.Records(bytes, lines.length(), (int) lines.lines().count());
  }

  private static String key(int n) {
    return PREFIX + "00000" + n + ".ndjson.gz";
  }

  private String chunk(int n) throws IOException {
    byte[] body = store.bucket(Runs.DESTINATION).get(key(n));
    return new String(Vector.gunzip(body), StandardCharsets.UTF_8);
  }

  @Test
  void closesAChunkOnceItHoldsTheBytes() throws IOException {
    try (Writer writer = writer("CHUNK_BYTES", "8")) {
      writer.write(records("{1}\n{2}\n")); // exactly the border
      writer.write(records("{3}\n"));
      writer.write(records("{44}\n{555555555}\n{6}\n"));
      assertEquals(
          List.of(
              new Writer.Chunk(key(1), 2, 8),
              new Writer.Chunk(key(2), 2, 9),
              new Writer.Chunk(key(3), 1, 12),
              new Writer.Chunk(key(4), 1, 4)),
          writer.finish());
    }
    assertEquals("{1}\n{2}\n", chunk(1));
    assertEquals("{3}\n{44}\n", chunk(2));
    assertEquals("{555555555}\n", chunk(3));
    assertEquals("{6}\n", chunk(4));
  }

  @Test
  void putsAGzipHeaderWithoutTimeAndName() {
    try (Writer writer = writer()) {
      writer.write(records("{}\n"));
      writer.finish();
    }
    byte[] body = store.bucket(Runs.DESTINATION).get("2024/02/08/_test-request-000001.ndjson.gz");
    assertEquals("1f8b080000000000", HexFormat.of().formatHex(body, 0, 8));
    assertEquals(
        "application/gzip", store.contentTypes.get("2024/02/08/_test-request-000001.ndjson.gz"));
  }

  @Test
  void makesNoEmptyChunk() {
    try (Writer writer = writer("CHUNK_BYTES", "1")) {
      writer.write(records(""));
      assertEquals(List.of(), writer.finish());
    }
  }

  @Test
  void failsWithItsPut() {
    store.failing("put", key(1), "AccessDenied");
    try (Writer writer = writer()) {
      writer.write(records("{}\n"));
      RunFailure e = assertThrows(RunFailure.class, writer::finish);
      assertEquals("S3_ERROR: put " + key(1) + " (AccessDenied)", e.getMessage());
      assertEquals(List.of(), puts);
    }
  }

  /** E6: publishing needs time for each chunk that was put. */
  @Test
  void tellsEachPut() {
    try (Writer writer = writer("CHUNK_BYTES", "1")) {
      writer.write(records("{}\n{}\n{}\n"));
      assertEquals(List.of(1, 2, 3), puts);
    }
  }

  /** O2 and O3: each chunk has its line, and is counted. */
  @Test
  void tellsAndCountsEachChunk() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Journal journal = new Journal("test-request", Journal.Level.DEBUG, out);
    Config config = Runs.config("CHUNK_BYTES", "3");
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, false);
    store.bucket(Runs.DESTINATION);
    try (Writer writer = new Writer(store, config, day, journal, compressed, puts::add)) {
      for (String lines : List.of("aa\nb\n", "cc\n", "\n")) {
        writer.write(records(lines));
      }
      writer.finish();
    }
    journal.end(new RunFailure(Errors.Code.NO_TRAIL, "so that there is a last line"));
    List<String> log = out.toString(StandardCharsets.UTF_8).lines().toList();
    String line =
        "{\"level\":\"DEBUG\",\"event\":\"chunk\",\"request_id\":\"test-request\","
            + "\"key\":\"%s\",\"records\":%d,\"bytes\":%d}";
    assertEquals(
        List.of(
            line.formatted(key(1), 1, 3),
            line.formatted(key(2), 2, 5),
            line.formatted(key(3), 1, 1)),
        log.subList(0, log.size() - 1));
    assertTrue(log.getLast().contains("\"compress\":{\"count\":3,"), log.getLast());
  }

  /** E6: also in the middle of a source. */
  @Test
  void endsWithTheRun() {
    try (Writer writer = writer()) {
      Thread.currentThread().interrupt();
      assertThrows(CancellationException.class, () -> writer.write(records("{}\n")));
    } finally {
      assertTrue(Thread.interrupted()); // and cleared for the next test
    }
  }
}
