package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import rosetta.Errors.RunFailure;

class ClaimTest {
  private static final String KEY = "2024/02/08/_claim.json";
  private static final String LATER = "9999-12-31T23:59:59.999Z";

  private final MemoryStore store = new MemoryStore();
  private final Instant end = Instant.now().plusSeconds(900).truncatedTo(ChronoUnit.MILLIS);
  private final Claim claim = claim("id");

  ClaimTest() {
    store.bucket(Runs.DESTINATION);
  }

  private Claim claim(String requestId) {
    Trigger.Day day = new Trigger.Day(LocalDate.of(2024, 2, 8), null, true);
    return new Claim(Runs.config(), day, requestId, end);
  }

  private void stored(String text) {
    store.with(Runs.DESTINATION, KEY, text);
  }

  private String stored() {
    byte[] body = store.bucket(Runs.DESTINATION).get(KEY);
    return body == null ? null : new String(body, StandardCharsets.UTF_8);
  }

  private void assertTaken() throws InterruptedException {
    claim.take(store);
    assertTrue(stored().startsWith("{\"run\":\"id\""), stored());
    claim.release(store, Runs.journal());
    assertEquals(null, stored());
  }

  private void assertBusy(Claim refused) {
    RunFailure e = assertThrows(RunFailure.class, () -> refused.take(store));
    assertEquals("BUSY: " + KEY, e.getMessage());
  }

  @Test
  void isPutAndDeleted() throws Exception {
    claim.take(store);
    String text = "\\{\"run\":\"id\",\"expires\":\"(.{23}Z)\"\\}";
    assertTrue(stored().matches(text), stored());
    assertEquals(end.plusSeconds(60), Instant.parse(stored().replaceFirst(text, "$1")));
    assertEquals("application/json", store.contentTypes.get(KEY));
    assertEquals(List.of("put " + KEY), store.requests);
    claim.release(store, Runs.journal());
    assertFalse(store.bucket(Runs.DESTINATION).containsKey(KEY));
  }

  @Test
  void keepsAnotherRunAway() throws Exception {
    claim.take(store);
    assertBusy(claim("other"));
    claim("other").release(store, Runs.journal()); // which holds nothing
    assertTrue(stored().contains("\"id\""));
  }

  @Test
  void isKnownAsOnesOwn() throws Exception {
    claim.take(store);
    Claim again = claim("id"); // as after a put whose answer was lost
    again.take(store);
    again.release(store, Runs.journal());
    assertEquals(null, stored());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"run\":\"other\",\"expires\":\"2024-02-09T02:46:00.000Z\"}",
        "",
        "[]",
        "{\"run\":\"other\"}",
        "{\"expires\":\"9999-12-31T23:59:59.999Z\"}",
        "{\"run\":7,\"expires\":\"9999-12-31T23:59:59.999Z\"}",
        "{\"run\":\"other\",\"expires\":\"9999-12-31\"}",
        "{\"run\":\"other\",\"expires\":\"9999-12-31T23:59:59Z\"}",
        "{\"run\":\"other\",\"expires\":\"9999-02-30T23:59:59.999Z\"}",
      })
  void takesOverWhatIsNotInForce(String other) throws Exception {
    stored(other);
    assertTaken();
  }

  /** The condition of the takeover: what was read must still be there. */
  @Test
  void doesNotTakeOverWhatHasChanged() throws Exception {
    stored("expired");
    store.before =
        (operation, key) -> {
          store.afterGet = () -> stored("{\"run\":\"other\",\"expires\":\"" + LATER + "\"}");
        };
    assertBusy(claim);
    assertTrue(stored().contains("other"));
  }

  @Test
  void givesUpAfterFiveRounds() throws Exception {
    stored("expired");
    int[] changes = {0};
    store.before = (operation, key) -> store.afterGet = () -> stored("expired " + ++changes[0]);
    assertBusy(claim);
    assertEquals(5, changes[0]);
  }

  @Test
  void beginsAgainWhenTheOtherIsGone() throws Exception {
    stored("gone soon");
    store.before = (operation, key) -> store.bucket(Runs.DESTINATION).remove(KEY);
    assertTaken();
  }

  @Test
  void deletesNoOthers() throws Exception {
    claim.take(store);
    stored("another's");
    claim.release(store, Runs.journal());
    assertEquals("another's", stored());
  }

  @Test
  void survivesAReleaseThatFails() throws Exception {
    claim.take(store);
    store.failing("delete", KEY, "InternalError");
    claim.release(store, Runs.journal());
    assertTrue(stored().contains("\"id\""));
  }
}
