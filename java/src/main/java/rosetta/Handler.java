// Step: handler. SPEC S14, B, E6, E7, O1: wires the steps, and tells the outcome.
// Holds what a sandbox keeps between invocations.
package rosetta;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import rosetta.Errors.BadSource;
import rosetta.Errors.BadSources;
import rosetta.Errors.RunFailure;
import rosetta.concurrency.Pace;
import rosetta.concurrency.Work;
import rosetta.json.Json;
import rosetta.s3.Clients;
import rosetta.task.Invocation;
import rosetta.tuning.Sandbox;

/** The Lambda function: {@code rosetta.Handler::handleRequest}. */
public final class Handler implements RequestStreamHandler {
  private Config config;
  private Store client;
  private Sandbox sandbox;
  private RuntimeException initFault;

  /** Never fails: the invocations report what went wrong (S14). */
  public Handler() {
    this(System.getenv(), config -> Clients.open(config, System.getenv()));
  }

  Handler(Map<String, String> env, Function<Config, Store> connect) {
    try {
      config = Config.fromEnv(env);
      client = connect.apply(config);
      sandbox = new Sandbox(config, env, () -> connect.apply(config));
    } catch (RuntimeException e) {
      initFault = e;
    }
  }

  /** Writes the result (O1), or throws {@link RunFailure}, whose message the caller sees. */
  @Override
  public void handleRequest(InputStream event, OutputStream result, Context context)
      throws IOException {
    Record value = handle(event.readAllBytes(), Invocation.of(context));
    result.write(Json.write(value).getBytes(StandardCharsets.UTF_8));
  }

  /** One invocation; the last line of its log is {@code end}, whatever happens (O3). */
  public Publisher.Result handle(byte[] event, Invocation invocation) {
    Journal journal = invocation.journal(config == null ? null : config.logLevel());
    try {
      if (initFault != null) {
        throw initFault;
      }
      Trigger.Day day = Trigger.parse(event);
      journal.log(Journal.Level.INFO, "start", day);
      Publisher.Result result = new Run(day, journal, invocation).result();
      journal.end(result);
      return result;
    } catch (Throwable e) {
      RunFailure failure = Errors.forCaller(e);
      journal.end(failure);
      if (e instanceof VirtualMachineError) { // Lambda reports it and ends the process (E10)
        throw new InternalError(failure.getMessage(), e); // with the message for the caller (E2)
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
    private final Work work;
    private final Store store;

    Run(Trigger.Day day, Journal journal, Invocation invocation) {
      this.day = day;
      this.journal = journal;
      bad = new BadSources(journal);
      work =
          new Work(
              new Pace(config.concurrency()),
              invocation.left(),
              () -> new RunFailure(Errors.Code.OUT_OF_TIME, sourcesRead + " sources read"));
      var unused = invocation.stop().thenRun(work::expire); // K4
      store = new Attempts(client, work, journal, null);
    }

    Publisher.Result result() throws InterruptedException {
      Claim claim = new Claim(config, day, journal.requestId(), work.end());
      Sandbox.Kept kept = sandbox.take();
      try {
        List<Writer.Chunk> chunks = work.inTime(() -> read(kept, claim));
        Publisher.Result result = journal.timed(Journal.Phase.PUBLISH, () -> publish(chunks));
        if (bad.count() > 0 && !day.force()) {
          throw bad.failure(result.sources());
        }
        return result;
      } finally {
        if (work.stop()) { // else a thread may still use it
          sandbox.keep(kept);
        }
        claim.release(client, journal);
      }
    }

    private List<Writer.Chunk> read(Sandbox.Kept kept, Claim claim) throws InterruptedException {
      claim.take(store);
      Lister lister = new Lister(store, config, day, work.tasks());
      Reader reader = new Reader(store, config, lister, work.tasks(), journal);
      try (Writer writer =
          new Writer(store, config, day, journal, kept.chunk(), work::reserveFor)) {
        for (Reader.Source source = reader.next(); source != null; source = reader.next()) {
          try {
            writer.write(records(reader.body(source), kept));
          } catch (BadSource e) {
            bad.add(source.key(), e.code());
          }
          sourcesRead.incrementAndGet();
          kept.heap().bound(); // tuning
        }
        return writer.finish();
      }
    }

    private Splitter.Records records(byte[] body, Sandbox.Kept kept) {
      return journal.timed(
          Journal.Phase.DECODE, () -> kept.splitter().split(kept.inflater().inflate(body)));
    }

    private Publisher.Result publish(List<Writer.Chunk> chunks) throws InterruptedException {
      Publisher publisher = new Publisher(store, config, day, work);
      long readable = sourcesRead.get() - bad.count();
      work.inTime(Executors.callable(() -> publisher.checkPublished(readable)));
      return work.toItsEnd( // W4 begins: E6 no longer applies
          () -> publisher.publish(chunks, sourcesRead.get(), bad.count()));
    }
  }
}
