// Step: handler. SPEC S14, B, E2, E4, E6, E7, O1: wires the steps, and tells the outcome.
// Holds what a sandbox keeps between invocations.
package rosetta;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Supplier;
import rosetta.Errors.BadSource;
import rosetta.Errors.BadSources;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;
import rosetta.s3.Clients;
import rosetta.tuning.Sandbox;

/** The Lambda function: {@code rosetta.Handler::handleRequest}. */
public final class Handler implements RequestStreamHandler {
  private static final long MOST_RESERVED_MS = 30_000;

  /** Lines of the log (O2). */
  private record Start(LocalDate day, String account, boolean force) {}

  private record Bad(String key, Errors.SourceCode code) {}

  private Config config;
  private Supplier<Store> connect;
  private Sandbox sandbox; // null after a run that failed
  private RuntimeException initFault;

  /** Never fails: the invocations report what went wrong (S14). */
  public Handler() {
    this(System.getenv(), config -> Clients.open(config, System.getenv()));
  }

  Handler(Map<String, String> env, Function<Config, Store> client) {
    try {
      config = Config.fromEnv(env);
      connect = () -> client.apply(config);
      sandbox = new Sandbox(config, connect);
      if ("snap-start".equals(env.get("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
        sandbox.rehearseBeforeSnapshot();
      }
    } catch (RuntimeException e) {
      initFault = e;
    }
  }

  /** Writes the result (O1), or throws {@link RunFailure}, whose message the caller sees. */
  @Override
  public void handleRequest(InputStream event, OutputStream result, Context context)
      throws IOException {
    int remainingMs = context.getRemainingTimeInMillis();
    Record value = handle(event.readAllBytes(), context.getAwsRequestId(), remainingMs, System.out);
    result.write(Json.write(value).getBytes(StandardCharsets.UTF_8));
  }

  /** One invocation; the last line of its log is {@code end}, whatever happens (O3). */
  Publisher.Result handle(byte[] event, String requestId, long remainingMs, OutputStream log) {
    Journal.Level level = config == null ? Journal.Level.INFO : config.logLevel();
    Journal journal = new Journal(requestId, level, log);
    try {
      if (initFault != null) {
        throw initFault;
      }
      if (sandbox == null) {
        sandbox = new Sandbox(config, connect);
      }
      Trigger.Day day = Trigger.parse(event);
      journal.log(Journal.Level.INFO, "start", new Start(day.date(), day.account(), day.force()));
      Publisher.Result result = new Run(day, requestId, journal).within(remainingMs);
      journal.end(result);
      return result;
    } catch (RunFailure e) {
      journal.end(e);
      throw e;
    } catch (VirtualMachineError e) { // Lambda's runtime reports it and ends the process
      Error fatal = new InternalError("INTERNAL: see the log", e);
      journal.end(fatal);
      throw fatal;
    } catch (Throwable e) {
      RunFailure unforeseen = new RunFailure(Errors.Code.INTERNAL, "see the log", e);
      journal.end(unforeseen);
      throw unforeseen;
    }
  }

  /** The run of one invocation: a thread of its own reads and writes, the caller's waits. */
  private final class Run {
    private final Trigger.Day day;
    private final String requestId;
    private final Journal journal;
    private final Sandbox kept = sandbox;
    private final BadSources bad = new BadSources();
    private final AtomicLong sourcesRead = new AtomicLong();
    private final AtomicBoolean decided = new AtomicBoolean(); // to publish, or to give up
    private final CompletableFuture<Publisher.Result> outcome = new CompletableFuture<>();

    Run(Trigger.Day day, String requestId, Journal journal) {
      this.day = day;
      this.requestId = requestId;
      this.journal = journal;
    }

    /** Ends with the first of: the result, a failed request (E4), too little time left (E6). */
    Publisher.Result within(long remainingMs) throws InterruptedException {
      long reservedMs = Math.min(remainingMs / 10, MOST_RESERVED_MS);
      kept.tasks().execute(this::complete);
      Publisher.Result result = null;
      try {
        result = outcome(remainingMs - reservedMs);
      } finally {
        if (result == null) { // no thread, request or buffer of this run is used again
          sandbox = null;
          kept.end();
        }
      }
      if (bad.count() > 0 && !day.force()) {
        throw bad.failure(result.sources());
      }
      return result;
    }

    private Publisher.Result outcome(long mostMs) throws InterruptedException {
      try {
        outcome.get(mostMs, TimeUnit.MILLISECONDS);
      } catch (TimeoutException e) {
        if (decided.compareAndSet(false, true)) {
          throw new RunFailure(Errors.Code.OUT_OF_TIME, sourcesRead + " sources read");
        }
      } catch (ExecutionException e) {
        // the next line throws its cause
      }
      return Errors.outcome(outcome);
    }

    private void complete() {
      try {
        outcome.complete(aggregate());
      } catch (Throwable e) {
        outcome.completeExceptionally(e);
      }
    }

    private Publisher.Result aggregate() throws InterruptedException {
      Store store =
          new Attempts(kept.client(), kept.permits(), journal, outcome::completeExceptionally);
      Lister lister = new Lister(store, config, day, kept.tasks());
      Reader reader = new Reader(store, config, lister, kept.tasks(), journal);
      Publisher publisher = new Publisher(store, config, day);
      String hiddenPrefix = publisher.dayPrefix() + "_" + requestId + "-";
      try (Writer writer = new Writer(store, config, hiddenPrefix, journal, kept.compressed())) {
        for (String key = reader.next(); key != null; key = reader.next()) {
          consume(key, reader, writer);
          sourcesRead.incrementAndGet();
          kept.heap().bound();
        }
        List<Writer.Chunk> chunks = writer.finish();
        return journal.timed(Journal.Phase.PUBLISH, () -> publish(publisher, chunks));
      }
    }

    private void consume(String key, Reader reader, Writer writer) throws InterruptedException {
      try {
        byte[] body = reader.body();
        Splitter.Records records =
            journal.timed(
                Journal.Phase.DECODE,
                () -> {
                  Inflater.Text text = kept.inflater().inflate(body);
                  return kept.splitter().split(text.bytes(), text.length());
                });
        writer.write(records);
      } catch (BadSource e) {
        bad.add(key, e.code());
        journal.log(Journal.Level.WARN, "bad_source", new Bad(key, e.code()));
      }
    }

    /** From W4 on the run doesn't give up any more (E6). */
    private Publisher.Result publish(Publisher publisher, List<Writer.Chunk> chunks) {
      publisher.checkPublished(sourcesRead.get() - bad.count());
      if (!decided.compareAndSet(false, true)) {
        throw new CancellationException("out of time");
      }
      return publisher.publish(chunks, sourcesRead.get(), bad.count());
    }
  }
}
