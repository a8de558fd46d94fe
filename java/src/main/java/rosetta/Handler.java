// Step: handler. SPEC S14, W13, B, E2, E4, E6, E7, O1: wires the steps, and tells the outcome.
// Holds what a sandbox keeps between invocations.
package rosetta;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import rosetta.Errors.BadSource;
import rosetta.Errors.BadSources;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;
import rosetta.s3.Clients;
import rosetta.tuning.Sandbox;

/** The Lambda function: {@code rosetta.Handler::handleRequest}. */
public final class Handler implements RequestStreamHandler {
  private Config config;
  private Sandbox sandbox;
  private RuntimeException initFault;

  /** Never fails: the invocations report what went wrong (S14). */
  public Handler() {
    this(System.getenv(), config -> Clients.open(config, System.getenv()));
  }

  Handler(Map<String, String> env, Function<Config, Store> client) {
    try {
      config = Config.fromEnv(env);
      sandbox = new Sandbox(config, () -> client.apply(config));
      sandbox.rehearseIfSnapshot(env.get("AWS_LAMBDA_INITIALIZATION_TYPE"));
    } catch (RuntimeException e) {
      initFault = e;
    }
  }

  /** Writes the result (O1), or throws {@link RunFailure}, whose message the caller sees. */
  @Override
  public void handleRequest(InputStream event, OutputStream result, Context context)
      throws IOException {
    long remainingMs = context.getRemainingTimeInMillis();
    Record value = handle(event.readAllBytes(), context.getAwsRequestId(), remainingMs, System.out);
    result.write(Json.write(value).getBytes(StandardCharsets.UTF_8));
  }

  /** One invocation; the last line of its log is {@code end}, whatever happens (O3). */
  Publisher.Result handle(byte[] event, String requestId, long remainingMs, OutputStream log) {
    Instant end = Instant.now().plusMillis(remainingMs);
    Instant limit = end.minusMillis(Math.min(remainingMs / 10, 30_000)); // E6
    Journal.Level level = config == null ? Journal.Level.INFO : config.logLevel();
    Journal journal = new Journal(requestId, level, log);
    try {
      if (initFault != null) {
        throw initFault;
      }
      Trigger.Day day = Trigger.parse(event);
      journal.log(Journal.Level.INFO, "start", day);
      Publisher.Result result = new Run(day, journal).result(limit, end);
      journal.end(result);
      return result;
    } catch (Throwable e) {
      RunFailure failure = Errors.forCaller(e);
      journal.end(failure);
      if (e instanceof VirtualMachineError) { // Lambda's runtime reports it and ends the process
        throw new InternalError(failure.getMessage(), e);
      }
      throw failure;
    }
  }

  /** The run of one invocation. */
  private final class Run {
    private final Trigger.Day day;
    private final Journal journal;
    private final BadSources bad;
    private final AtomicLong sourcesRead = new AtomicLong();
    private final CompletableFuture<RunFailure> failed = new CompletableFuture<>(); // a request

    Run(Trigger.Day day, Journal journal) {
      this.day = day;
      this.journal = journal;
      this.bad = new BadSources(journal);
    }

    /** Whatever the outcome, the last request gives the day back (W13). */
    Publisher.Result result(Instant limit, Instant end) throws InterruptedException {
      Sandbox.Kept kept = sandbox.kept();
      Store store = new Attempts(kept.client(), kept.permits(), journal, failed::complete, null);
      Publisher publisher = new Publisher(store, config, day);
      Claim claim = new Claim(config, day, journal.requestId(), end);
      try {
        List<Writer.Chunk> chunks = inTime(limit, () -> read(kept, store, claim));
        Publisher.Result result =
            journal.timed(
                Journal.Phase.PUBLISH,
                () ->
                    inTime(limit, () -> publisher.checkPublished(sourcesRead.get() - bad.count()))
                        .publish(chunks, sourcesRead.get(), bad.count())); // without a limit
        if (bad.count() > 0 && !day.force()) {
          throw bad.failure(result.sources());
        }
        return result;
      } finally {
        Sandbox.Kept left = sandbox.kept(); // another one if the run has failed
        Store last = new Attempts(left.client(), left.permits(), journal, failure -> {}, null);
        sandbox.callLast(() -> claim.release(last), end);
      }
    }

    /** The work's outcome, unless a request fails for good (E4) or too little time is left (E6). */
    private <T> T inTime(Instant limit, Callable<T> work) throws InterruptedException {
      return sandbox
          .call(work, limit, failed)
          .orElseThrow(
              () -> new RunFailure(Errors.Code.OUT_OF_TIME, sourcesRead + " sources read"));
    }

    private List<Writer.Chunk> read(Sandbox.Kept kept, Store store, Claim claim)
        throws InterruptedException {
      claim.take(store);
      Lister lister = new Lister(store, config, day, kept.tasks());
      Reader reader = new Reader(store, config, lister, kept.tasks(), journal);
      try (Writer writer = new Writer(store, config, day, journal, kept.compressed())) {
        for (String key = reader.next(); key != null; key = reader.next()) {
          try {
            byte[] body = reader.body();
            writer.write(
                journal.timed(
                    Journal.Phase.DECODE,
                    () -> kept.splitter().split(kept.inflater().inflate(body))));
          } catch (BadSource e) {
            bad.add(key, e.code());
          }
          sourcesRead.incrementAndGet();
          kept.heap().bound();
        }
        return writer.finish();
      }
    }
  }
}
