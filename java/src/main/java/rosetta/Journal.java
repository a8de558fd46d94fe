// Step: journal. SPEC O2 to O4: JSON lines on standard output, and the sums of the phases.
// Holds the sums; it writes each line at once.
package rosetta;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import rosetta.json.Json;

/** The log of one invocation; safe for concurrent use. */
public final class Journal {
  /** In rising order. */
  public enum Level {
    DEBUG,
    INFO,
    WARN,
    ERROR
  }

  /** In the order of the line {@code end}. */
  public enum Phase {
    LIST,
    GET,
    DECODE,
    COMPRESS,
    PUT,
    PUBLISH
  }

  /** An operation with a result; it may throw one kind of exception. */
  @FunctionalInterface
  interface Operation<T, E extends Exception> {
    T run() throws E;
  }

  /** The fields of the line {@code end}. */
  private record End(
      String error, String cause, Object result, Map<String, Sum> phases, long waitMs) {}

  /** A phase as the line {@code end} shows it. */
  private record Sum(long count, double sumMs) {}

  /** A phase while it is counted. */
  private record Counter(LongAdder count, LongAdder nanos) {}

  private final String requestId;
  private final Level minLevel;
  private final OutputStream out;
  private final Map<Phase, Counter> counters = new EnumMap<>(Phase.class);
  private final LongAdder waitNanos = new LongAdder();
  private boolean ended;

  /**
   * @param minLevel the lowest level that is written, or null for INFO
   */
  public Journal(String requestId, Level minLevel, OutputStream out) {
    this.requestId = requestId;
    this.minLevel = Objects.requireNonNullElse(minLevel, Level.INFO);
    this.out = out;
    for (Phase phase : Phase.values()) {
      counters.put(phase, new Counter(new LongAdder(), new LongAdder()));
    }
  }

  String requestId() {
    return requestId;
  }

  /** Writes a line, unless its level is below LOG_LEVEL or the invocation has ended. */
  synchronized void log(Level level, String event, Record fields) {
    if (ended || level.compareTo(minLevel) < 0) {
      return;
    }
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("level", level);
    line.put("event", event);
    line.put("request_id", requestId);
    line.putAll(Json.members(fields));
    try {
      // One write per line: a runtime may take each write for a log event.
      out.write((Json.write(line) + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The last line of a run that has succeeded. */
  void end(Record result) {
    end(Level.INFO, null, null, result);
  }

  /** The last line of a run that has failed. */
  void end(Throwable failure) {
    String cause = Objects.toString(failure.getCause(), null);
    end(Level.ERROR, failure.getMessage(), cause, null);
  }

  private synchronized void end(Level level, String error, String cause, Record result) {
    Map<String, Sum> phases = new LinkedHashMap<>();
    counters.forEach(
        (phase, counter) -> {
          double ms = counter.nanos().sum() / 1e6;
          Sum sum = new Sum(counter.count().sum(), Math.round(ms * 10) / 10.0);
          phases.put(phase.name().toLowerCase(Locale.ROOT), sum);
        });
    long waitMs = TimeUnit.NANOSECONDS.toMillis(waitNanos.sum());
    log(level, "end", new End(error, cause, result, phases, waitMs));
    ended = true; // a request that outlives the run writes no line
  }

  /** Counts an operation of the phase and its time, also if it fails. */
  <T, E extends Exception> T timed(Phase phase, Operation<T, E> operation) throws E {
    long started = System.nanoTime();
    try {
      return operation.run();
    } finally {
      count(phase, System.nanoTime() - started);
    }
  }

  void count(Phase phase, long elapsedNanos) {
    counters.get(phase).count().increment();
    counters.get(phase).nanos().add(elapsedNanos);
  }

  /** Counts the time that the consumer waits for a listing or a body (O4). */
  <T, E extends Exception> T waiting(Operation<T, E> operation) throws E {
    long started = System.nanoTime();
    try {
      return operation.run();
    } finally {
      waitNanos.add(System.nanoTime() - started);
    }
  }
}
