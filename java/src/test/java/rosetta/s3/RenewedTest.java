package rosetta.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import rosetta.Store;

/** E9. */
class RenewedTest {
  private final List<Client> opened = new ArrayList<>();
  private final Store store = new Renewed(this::open);
  private Runnable answer = () -> {};

  private Client open() {
    opened.add(new Client());
    return opened.getLast();
  }

  private final class Client implements Store {
    boolean isClosed;

    @Override
    public Page listPage(String bucket, String prefix, String delimiter, String token) {
      throw new AssertionError();
    }

    @Override
    public Store.Stored get(String bucket, String key, int limitBytes) {
      assertFalse(isClosed);
      answer.run();
      return new Store.Stored(null, new byte[0], null);
    }

    @Override
    public Optional<String> put(String bucket, String key, Content c, String t, Condition on) {
      throw new AssertionError();
    }

    @Override
    public void copy(String bucket, String fromKey, String toKey) {
      throw new AssertionError();
    }

    @Override
    public void delete(String bucket, String key, Condition condition) {
      throw new AssertionError();
    }

    @Override
    public void close() {
      isClosed = true;
    }
  }

  private void fails(FailedAttempt fault) {
    answer =
        () -> {
          throw fault;
        };
    assertThrows(FailedAttempt.class, () -> store.get("b", "k", 1));
    answer = () -> {};
  }

  @Test
  void opensAnotherClientAfterAnAttemptWithoutAnAnswer() {
    fails(new FailedAttempt(503, "SlowDown", "too fast"));
    assertEquals(1, opened.size());
    fails(new FailedAttempt(new IOException("reset")));
    store.get("b", "k", 1);
    assertEquals(2, opened.size());
    assertTrue(opened.getFirst().isClosed);
    assertFalse(opened.getLast().isClosed);
  }

  @Test
  void closesTheClientAfterItsLastRequest() {
    answer =
        () -> { // a request of the first client, during which another one fails
          fails(new FailedAttempt(new IOException("reset")));
          assertFalse(opened.getFirst().isClosed);
        };
    store.get("b", "k", 1);
    assertTrue(opened.getFirst().isClosed);
    assertEquals(2, opened.size());
  }
}
