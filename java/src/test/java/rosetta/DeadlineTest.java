package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class DeadlineTest {
  @Test
  void endsAWaitThatWouldLastForEver() {
    Deadline deadline = new Deadline(50);
    deadline.sourceRead();
    deadline.sourceRead();
    AggregationException e =
        assertThrows(
            AggregationException.class, () -> deadline.await(new CompletableFuture<String>()));
    assertEquals("OUT_OF_TIME: 2 sources read", e.getMessage());
    assertThrows(AggregationException.class, deadline::check);
  }

  @Test
  void endsAWaitWhenAnotherRequestHasFailed() throws InterruptedException {
    AggregationException fault = Errors.ofRequest("get", "second", null);
    for (int wait = 0; wait < 2; wait++) { // under way, and to come
      Deadline deadline = new Deadline(60_000);
      CompletableFuture<String> first = new CompletableFuture<>();
      Thread failing = Thread.startVirtualThread(() -> deadline.end(fault));
      if (wait == 1) {
        failing.join();
      }
      assertSame(fault, assertThrows(AggregationException.class, () -> deadline.await(first)));
      failing.join();
    }
  }

  @Test
  void handsOverWhatATaskGivesOrThrows() {
    Deadline deadline = new Deadline(60_000);
    assertEquals("body", deadline.await(CompletableFuture.completedFuture("body")));
    AggregationException fault = Errors.ofRequest("get", "key", null);
    assertSame(
        fault,
        assertThrows(
            AggregationException.class,
            () -> deadline.await(CompletableFuture.failedFuture(fault))));
  }
}
