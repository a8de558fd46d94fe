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
