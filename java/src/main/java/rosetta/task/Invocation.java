// The invocation of a run, by Lambda or as a task. SPEC K, W1, E6.
// Holds no state of the run.
package rosetta.task;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import rosetta.Journal;

/**
 * One invocation.
 *
 * @param left the time that it has
 * @param log where its lines go
 * @param stop completes when a task is to end (K4); never in Lambda
 */
public record Invocation(
    String requestId, Duration left, OutputStream log, CompletableFuture<Void> stop) {

  /** Of Lambda. */
  public static Invocation of(Context context) {
    Duration left = Duration.ofMillis(context.getRemainingTimeInMillis());
    return new Invocation(context.getAwsRequestId(), left, System.out, new CompletableFuture<>());
  }

  /**
   * The log.
   *
   * @param minLevel null for INFO
   */
  public Journal journal(Journal.Level minLevel) {
    return new Journal(requestId, minLevel, log);
  }
}
