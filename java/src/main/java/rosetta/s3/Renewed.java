// SPEC E9: after an attempt without an answer, no connection is used that was open then.
// Holds the client in use, and counts its requests.
package rosetta.s3;

import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import rosetta.Store;

/** Opens another client after such an attempt; the one before closes after its last request. */
final class Renewed implements Store {
  /** A client; guarded by the lock of its {@link Renewed}. */
  private static final class Use {
    final Store client;
    int requests;
    boolean isOver;

    Use(Store client) {
      this.client = client;
    }
  }

  private final Supplier<Store> open;
  private Use current;

  Renewed(Supplier<Store> open) {
    this.open = open;
    this.current = new Use(open.get());
  }

  @Override
  public Page listPage(String bucket, String prefix, String delimiter, String token) {
    return attempt(client -> client.listPage(bucket, prefix, delimiter, token));
  }

  @Override
  public Stored get(String bucket, String key, int limitBytes) {
    return attempt(client -> client.get(bucket, key, limitBytes));
  }

  @Override
  public Optional<String> put(String bucket, String key, Content body, String type, Condition on) {
    return attempt(client -> client.put(bucket, key, body, type, on));
  }

  @Override
  public void copy(String bucket, String fromKey, String toKey) {
    make(client -> client.copy(bucket, fromKey, toKey));
  }

  @Override
  public void delete(String bucket, String key, Condition condition) {
    make(client -> client.delete(bucket, key, condition));
  }

  /** An attempt whose answer has nothing to return. */
  private void make(Consumer<Store> request) {
    attempt(
        client -> {
          request.accept(client);
          return null;
        });
  }

  private <T> T attempt(Function<Store, T> request) {
    Use used = begin();
    try {
      return request.apply(used.client);
    } catch (FailedAttempt e) {
      boolean isAnswered = e.status() != 0;
      if (!isAnswered && !Thread.currentThread().isInterrupted()) {
        renew(used);
      }
      throw e;
    } finally {
      end(used);
    }
  }

  private synchronized Use begin() {
    current.requests++;
    return current;
  }

  private synchronized void renew(Use used) {
    if (used == current) {
      used.isOver = true;
      current = new Use(open.get());
    }
  }

  private synchronized void end(Use used) {
    used.requests--;
    if (used.isOver && used.requests == 0) {
      used.client.close();
    }
  }

  @Override
  public synchronized void close() {
    current.client.close();
  }
}
