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
    assertEquals(day, parse(event.replace("'", "\"")).day());
  }

  @Test
  void readsTheOptionalMembers() {
    Trigger.Day day =
        parse("{\"year\":2024,\"month\":2,\"day\":8,\"force\":true,\"account\":\"111122223333\"}");
    assertEquals(new Trigger.Day(LocalDate.of(2024, 2, 8), "111122223333", true), day);
    assertEquals("2024/02/08/", day.folder());
  }

  /** T2: that is the account of the schedule's owner. */
  @Test
  void ignoresTheSchedulersAccount() {
    String event =
        "{'source':'aws.scheduler','time':'2024-03-01T00:00:00Z','account':'111122223333'}";
    assertEquals(null, parse(event.replace("'", "\"")).account());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]|event: expected a JSON object",
        "{} {}|event: expected a JSON object",
        "{'Records':[]}|Records: ONE",
        "{'Records':[{'body':'{'}]}|Records: ONE",
        "{'source':'aws.scheduler'}|time: TIME",
        "{'source':'aws.scheduler','time':'2024-01-01T24:00:00Z'}|time: TIME",
        "{}|year: expected an integer from 1000 to 9999",
        "{'year':999}|year: expected an integer from 1000 to 9999",
        "{'year':2024,'month':true}|month: expected an integer",
        "{'year':2024,'month':1e400}|month: expected an integer",
        "{'year':2024,'month':13,'day':'8'}|day: expected an integer",
        "{'year':2024,'month':13,'day':8,'force':null}|force: expected true or false",
        "{'year':2024,'month':13,'day':8,'account':123456789012}|account: DIGITS",
        "{'Records':[{'eventSource':'aws:s3'}]}|event: an S3 notification names NO_DAY",
        "{'Event':'s3:TestEvent','year':2024}|event: an S3 notification names NO_DAY",
        "{'Records':[{'EventSource':'aws:sns'},{}]}|event: an SNS message names NO_DAY",
        "{'Records':[{'body':'{\\'Type\\':\\'Notification\\'}'}]}|event: an SNS message names"
            + " NO_DAY",
        "{'detail-type':'','year':2024}|event: an EventBridge event names NO_DAY",
      })
  void namesTheFault(String event, String fault) {
    String text =
        fault
            .replace("ONE", "expected exactly one record whose body is a JSON object")
            .replace("TIME", "expected yyyy-mm-ddThh:mm:ssZ")
            .replace("DIGITS", "expected 12 digits in a string")
            .replace("NO_DAY", "no day: send {\"year\": 2024, \"month\": 2, \"day\": 8}");
    assertFails("INVALID_EVENT: " + text, event);
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
