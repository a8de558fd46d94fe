// Step: handler. SPEC S14, B1 to B4, E2, E7, O1 to O4: wires the steps, and tells how it went.
// Holds what a sandbox keeps: settings, S3 client, threads, buffers. Everything else is one
// invocation's.
package rosetta;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The Lambda function: {@code rosetta.Handler::handleRequest}. */
public final class Handler implements RequestStreamHandler {
  private static final int NAMED_IN_MESSAGE = 10;
  private static final long FAREWELL_MS = 100;

  private Config config;
  private Store.Opener stores;
  private Inflater inflater;
  private final Heap heap = new Heap();
  private final Splitter splitter = new Splitter();
  private ExecutorService tasks;
  private ChunkBuffer compressed;
  private RuntimeException initFault;

  @SuppressWarnings("UnusedVariable") // Lambda holds it by a weak reference
  private Snapshot snapshot;

  /** Never fails: a fault is kept for the invocations to report. */
  public Handler() {
    this(System.getenv(), config -> Store.opener(config, System.getenv()));
  }

  Handler(Map<String, String> env, Function<Config, Store.Opener> connect) {
    try {
      config = Config.fromEnv(env);
      stores = connect.apply(config);
      inflater = new Inflater(config.maxSourceBytes());
      renew();
      if ("snap-start".equals(env.get("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
        Journal unheard = new Journal("init", config.logLevel(), OutputStream.nullOutputStream());
        Store store = stores.open(unheard, failure -> {});
        snapshot = new Snapshot(config, store, inflater, splitter).registered();
      }
    } catch (RuntimeException e) {
      initFault = e;
    }
  }

  /** What no request of an earlier run may use any more. */
  private void renew() {
    tasks = Store.threads(config);
    compressed = new ChunkBuffer();
  }

  /**
   * Writes the result (O1) as JSON. Throws {@link AggregationException}; its message is what the
   * caller sees.
   */
  @Override
  public void handleRequest(InputStream event, OutputStream result, Context context)
      throws IOException {
    Deadline deadline = new Deadline(context.getRemainingTimeInMillis());
    Map<String, Object> value =
        handle(event.readAllBytes(), context.getAwsRequestId(), deadline, System.out);
    result.write(Json.write(value).getBytes(StandardCharsets.UTF_8));
  }

  /**
   * One invocation. The log goes to {@code log}; {@code end} is its last line, whatever happens.
   */
  Map<String, Object> handle(byte[] event, String requestId, Deadline deadline, OutputStream log) {
    Journal.Level level = config == null ? Journal.Level.INFO : config.logLevel();
    Journal journal = new Journal(requestId, level, log);
    Map<String, Object> result = null;
    AggregationException error = null;
    try {
      if (initFault != null) {
        throw initFault;
      }
      Trigger.Day day = Trigger.parse(event);
      journal.log(
          Journal.Level.INFO,
          "start",
          Json.object("day", day.date(), "account", day.account(), "force", day.force()));
      result = new Run(day, requestId, deadline, journal).aggregate();
      return result;
    } catch (AggregationException e) {
      error = e;
      throw e;
    } catch (Throwable e) {
      error = new AggregationException(Errors.Code.INTERNAL, "see the log", e);
      throw error;
    } finally {
      journal.end(
          error == null ? null : error.getMessage(),
          error == null ? null : error.wording(),
          result,
          deadline.waitedMs());
    }
  }

  /** The run of one invocation. */
  private final class Run {
    private final Trigger.Day day;
    private final String requestId;
    private final Deadline deadline;
    private final Journal journal;
    private final List<String> firstBad = new ArrayList<>(); // as the message names them
    private long badCount;
    private long sources;

    Run(Trigger.Day day, String requestId, Deadline deadline, Journal journal) {
      this.day = day;
      this.requestId = requestId;
      this.deadline = deadline;
      this.journal = journal;
    }

    Map<String, Object> aggregate() throws InterruptedException {
      boolean done = false;
      Store store = stores.open(journal, deadline::end);
      Publisher.Keys keys = Publisher.Keys.of(config, day, requestId);
      try (Writer writer = new Writer(store, config, keys, tasks, deadline, journal, compressed)) {
        Lister lister = new Lister(store, config, day, tasks, deadline);
        Reader reader = new Reader(store, config, lister, tasks, deadline);
        for (String key = reader.next(); key != null; key = reader.next()) {
          consume(key, reader, writer);
        }
        List<Writer.Chunk> chunks = writer.finish();
        Publisher publisher = new Publisher(store, config, keys, day, tasks, deadline);
        Map<String, Object> result =
            journal.timed(
                Journal.Phase.PUBLISH, () -> publisher.publish(chunks, sources, badCount));
        failOnBadSources();
        done = true;
        return result;
      } finally {
        if (!done) { // its requests must not live on into the next invocation
          tasks.shutdownNow();
          tasks.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS);
          renew();
        }
      }
    }

    private void consume(String key, Reader reader, Writer writer) {
      sources++;
      try {
        byte[] body = reader.body();
        Splitter.Records records =
            journal.timed(
                Journal.Phase.DECODE,
                () -> {
                  Inflater.Text text = inflater.inflate(body);
                  return splitter.split(text.bytes(), text.length());
                });
        writer.write(records);
      } catch (AggregationException e) {
        if (!e.code().isOfSource()) {
          throw e;
        }
        badCount++;
        if (firstBad.size() < NAMED_IN_MESSAGE) {
          firstBad.add(Errors.escape(key) + " (" + e.code() + ")");
        }
        journal.log(Journal.Level.WARN, "bad_source", Json.object("key", key, "code", e.code()));
      }
      deadline.sourceRead();
      heap.bound();
    }

    /** B1: what could be read is published by now. */
    private void failOnBadSources() {
      if (badCount == 0 || day.force()) {
        return;
      }
      String more =
          badCount > firstBad.size() ? ", and " + (badCount - firstBad.size()) + " more" : "";
      throw new AggregationException(
          Errors.Code.BAD_SOURCES,
          badCount + " of " + sources + ": " + String.join(", ", firstBad) + more);
    }
  }
}
