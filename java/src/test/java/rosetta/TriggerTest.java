package rosetta;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import rosetta.Errors.RunFailure;

class TriggerTest {
  private static Trigger.Day parse(String event) {
    return Trigger.parse(event.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'year':2024,'month':2,'day':8}|2024-02-08",
        "{'year':2024.0,'month':2e0,'day':29}|2024-02-29",
        "{'source':'aws.scheduler','time':'2024-03-01T00:00:00Z','year':1}|2024-02-29",
        "{'Records':[{'body':'{\\'year\\':2024,\\'month\\':2,\\'day\\':8}'}]}|2024-02-08",
      })
  void findsTheDay(String event, LocalDate day) {
    assertEquals(day, parse(event.replace("'", "\"")).date());
  }

  @Test
  void readsTheOptionalMembers() {
    Trigger.Day day =
        parse("{\"year\":2024,\"month\":2,\"day\":8,\"force\":true,\"account\":\"111122223333\"}");
    assertEquals(new Trigger.Day(LocalDate.of(2024, 2, 8), true, "111122223333"), day);
    assertEquals("2024/02/08/", day.folder());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]|event: expected a JSON object",
        "{} {}|event: expected a JSON object",
        "{'Records':[]}|Records: expected exactly one record whose body is a JSON object",
        "{'Records':[{'body':'{'}]}|Records: expected exactly one record whose body is a JSON object",
        "{'source':'aws.scheduler'}|time: expected yyyy-mm-ddThh:mm:ssZ",
        "{'source':'aws.scheduler','time':'2024-01-01T24:00:00Z'}|time: expected yyyy-mm-ddThh:mm:ssZ",
        "{}|year: expected an integer from 1000 to 9999",
        "{'year':999}|year: expected an integer from 1000 to 9999",
        "{'year':2024,'month':true}|month: expected an integer",
        "{'year':2024,'month':1e400}|month: expected an integer",
        "{'year':2024,'month':13,'day':'8'}|day: expected an integer",
        "{'year':2024,'month':13,'day':8,'force':null}|force: expected true or false",
        "{'year':2024,'month':13,'day':8,'account':123456789012}|account: expected 12 digits in a string",
      })
  void namesTheFault(String event, String fault) {
    assertFails("INVALID_EVENT: " + fault, event);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'year':2023,'month':2,'day':29}",
        "{'year':2023,'month':1e300,'day':1}",
        "{'source':'aws.scheduler','time':'2023-02-30T00:00:00Z'}",
        "{'source':'aws.scheduler','time':'1000-01-01T00:00:00Z'}",
      })
  void refusesDaysThatTheCalendarLacks(String event) {
    assertFails("INVALID_DATE: the calendar has no such day", event);
  }

  private static void assertFails(String message, String event) {
    RunFailure e = assertThrows(RunFailure.class, () -> parse(event.replace("'", "\"")));
    assertEquals(message, e.getMessage());
  }
}
