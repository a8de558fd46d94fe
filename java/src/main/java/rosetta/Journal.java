// Step: journal. SPEC O2 to O4: JSON lines on standard output, and the sums of the phases.
// Holds the sums; a line is written as soon as it is told.
package rosetta;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/** The log of one invocation; safe for concurrent use. */
final class Journal {
  enum Level {
    DEBUG,
    INFO,
    WARN,
    ERROR
  }

  enum Phase {
    LIST,
    GET,
    DECODE,
    COMPRESS,
    PUT,
    PUBLISH
  }

  private static final double NANOS_PER_MS = 1e6;

  private static final class Sum {
    private final LongAdder count = new LongAdder();
    private final LongAdder nanos = new LongAdder();

    Map<String, Object> fields() {
      double ms = nanos.sum() / NANOS_PER_MS;
      return Json.object("count", count.sum(), "sum_ms", Math.round(ms * 10) / 10.0);
    }
  }

  private final String requestId;
  private final Level least;
  private final OutputStream out;
  private final Map<Phase, Sum> sums = new EnumMap<>(Phase.class);
  private boolean ended;

  Journal(String requestId, Level least, OutputStream out) {
    this.requestId = requestId;
    this.least = least;
    this.out = out;
    for (Phase phase : Phase.values()) {
      sums.put(phase, new Sum());
    }
  }

  /** Writes a line, unless its level is filtered out or the invocation has ended. */
  synchronized void log(Level level, String event, Map<String, Object> fields) {
    if (ended || level.compareTo(least) < 0) {
      return;
    }
    Map<String, Object> line = Json.object("level", level, "event", event, "request_id", requestId);
    line.putAll(fields);
    try {
      // One write a line: a runtime may take each write for a log event of its own.
      out.write((Json.write(line) + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The last line; later ones, of requests given up, are dropped.
   *
   * @param error the message, or null
   * @param cause library wording, or null
   * @param result or null
   */
  synchronized void end(String error, String cause, Object result, long waitMs) {
    Map<String, Object> phases = new LinkedHashMap<>();
    sums.forEach((phase, sum) -> phases.put(phase.name().toLowerCase(Locale.ROOT), sum.fields()));
    log(
        error == null ? Level.INFO : Level.ERROR,
        "end",
        Json.object(
            "error", error, "cause", cause, "result", result, "phases", phases, "wait_ms", waitMs));
    ended = true;
  }

  /** Counts an operation of the phase and its time, also when it fails. */
  <T> T timed(Phase phase, Supplier<T> operation) {
    long started = System.nanoTime();
    try {
      return operation.get();
    } finally {
      count(phase, System.nanoTime() - started);
    }
  }

  void count(Phase phase, long elapsedNanos) {
    sums.get(phase).count.increment();
    sums.get(phase).nanos.add(elapsedNanos);
  }
}
