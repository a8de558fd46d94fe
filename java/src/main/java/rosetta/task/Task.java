// The entry of a task: one run outside of Lambda, by `java rosetta.task.Task EVENT` (SPEC K).
// Holds the signal's hook.
package rosetta.task;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import rosetta.Config;
import rosetta.Errors.Code;
import rosetta.Errors.RunFailure;
import rosetta.Handler;

/** One run, whose outcome is the exit code. */
public final class Task {
  private static final int FIRST_CODE = 10; // K3: the codes in their order
  private static final int TIME_IS_OVER = 21; // K2

  private Task() {}

  public static void main(String[] arguments) {
    CompletableFuture<Void> stop = new CompletableFuture<>();
    Thread atSigterm =
        new Thread(
            () -> {
              stop.complete(null);
              new CompletableFuture<Void>().join(); // the run ends the process, not this hook (K4)
            });
    Runtime.getRuntime().addShutdownHook(atSigterm);
    int code = run(String.join(" ", arguments), stop);
    System.out.flush();
    Runtime.getRuntime().halt(code);
  }

  private static int run(String event, CompletableFuture<Void> stop) {
    Handler handler = new Handler();
    String requestId = UUID.randomUUID().toString();
    Invocation task = new Invocation(requestId, limit(), System.out, stop);
    try {
      handler.handle(event.getBytes(StandardCharsets.UTF_8), task);
      return 0;
    } catch (RunFailure e) {
      String code = e.getMessage().substring(0, e.getMessage().indexOf(':'));
      return FIRST_CODE + List.of(Code.values()).indexOf(Code.valueOf(code));
    } catch (Error e) { // of the virtual machine (E10)
      return 1;
    }
  }

  /** The run's time, at whose end the process ends, too (K2). */
  private static Duration limit() {
    try {
      int seconds = Config.fromEnv(System.getenv()).taskTimeout();
      CompletableFuture.delayedExecutor(seconds, TimeUnit.SECONDS)
          .execute(() -> Runtime.getRuntime().halt(TIME_IS_OVER));
      return Duration.ofSeconds(seconds);
    } catch (RunFailure e) { // the run reports it
      return Duration.ZERO;
    }
  }
}
