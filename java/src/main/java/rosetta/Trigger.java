// Step: trigger. SPEC T1 to T8: the event's text becomes the day of the run.
// Holds the event, whose size Lambda bounds.
package rosetta;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;

/** Reads the event. */
final class Trigger {
  /**
   * The day of a run, and how it is read. The log's line {@code start} shows it (O2).
   *
   * @param account 12 digits, or null for all accounts
   */
  record Day(LocalDate day, String account, boolean force) {
    /** {@code yyyy/mm/dd/}, as in keys. */
    String folder() {
      return day.toString().replace('-', '/') + "/";
    }

    /** Where the day's chunks and its manifest are (T7). */
    String outputPrefix(String dstPrefix) {
      return dstPrefix + (account == null ? "" : account + "/") + folder();
    }
  }

  private static final Pattern TIME =
      Pattern.compile("([1-9]\\d{3}-\\d{2}-\\d{2})T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\dZ");
  private static final String SCHEDULER = "aws.scheduler";
  private static final double ANY = Double.MAX_VALUE;
  private static final Pattern ACCOUNT = Pattern.compile("[0-9]{12}");

  private Trigger() {}

  /** Throws INVALID_EVENT for a bad member, else INVALID_DATE for a date outside the calendar. */
  static Day parse(byte[] event) {
    Map<?, ?> trigger = trigger(event);
    boolean isScheduled = SCHEDULER.equals(trigger.get("source"));
    String named = isScheduled ? dateOfTime(trigger.get("time")) : dateOfMembers(trigger);
    Object forced = trigger.containsKey("force") ? trigger.get("force") : false;
    if (!(forced instanceof Boolean force)) {
      throw invalid("force", "expected true or false");
    }
    String account = null; // T2: a scheduler's event has the account of the schedule's owner
    if (!isScheduled && trigger.containsKey("account")) {
      account = trigger.get("account") instanceof String text ? text : "";
      if (!ACCOUNT.matcher(account).matches()) {
        throw invalid("account", "expected 12 digits in a string");
      }
    }
    return new Day(date(named, isScheduled), account, force);
  }

  /** T6 comes last: the calendar is asked only when all members have their form. */
  private static LocalDate date(String named, boolean isScheduled) {
    try {
      LocalDate date = LocalDate.parse(named).minusDays(isScheduled ? 1 : 0);
      if (date.getYear() < 1000) {
        throw new DateTimeException("before 1000-01-01");
      }
      return date;
    } catch (DateTimeException e) {
      throw new RunFailure(Errors.Code.INVALID_DATE, "the calendar has no such day", e);
    }
  }

  private static Map<?, ?> trigger(byte[] text) {
    if (!(json(text) instanceof Map<?, ?> event)) {
      throw invalid("event", "expected a JSON object");
    }
    refuseForeign(event);
    if (!event.containsKey("Records")) {
      return event;
    }
    if (event.get("Records") instanceof List<?> records
        && records.size() == 1
        && records.getFirst() instanceof Map<?, ?> message
        && message.get("body") instanceof String body
        && json(body.getBytes(StandardCharsets.UTF_8)) instanceof Map<?, ?> trigger) {
      refuseForeign(trigger);
      return trigger;
    }
    throw invalid("Records", "expected exactly one record whose body is a JSON object");
  }

  private static Object json(byte[] text) {
    try {
      return Json.parse(text);
    } catch (IOException e) {
      return null;
    }
  }

  /** Another service's event names no day (T8). */
  private static void refuseForeign(Map<?, ?> event) {
    List<?> records = event.get("Records") instanceof List<?> list ? list : List.of();
    Object first = records.isEmpty() ? null : records.getFirst();
    Map<?, ?> record = first instanceof Map<?, ?> members ? members : Map.of();
    if ("s3:TestEvent".equals(event.get("Event")) || "aws:s3".equals(record.get("eventSource"))) {
      throw foreign("an S3 notification");
    }
    if ("Notification".equals(event.get("Type")) || "aws:sns".equals(record.get("EventSource"))) {
      throw foreign("an SNS message");
    }
    if (event.containsKey("detail-type") && !SCHEDULER.equals(event.get("source"))) {
      throw foreign("an EventBridge event");
    }
  }

  private static RunFailure foreign(String kind) {
    return invalid(
        "event", kind + " names no day: send {\"year\": 2024, \"month\": 2, \"day\": 8}");
  }

  private static String dateOfTime(Object time) {
    Matcher parts = TIME.matcher(time instanceof String text ? text : "");
    if (!parts.matches()) {
      throw invalid("time", "expected yyyy-mm-ddThh:mm:ssZ");
    }
    return parts.group(1);
  }

  private static String dateOfMembers(Map<?, ?> trigger) {
    int year = integer(trigger, "year", 1000, 9999, " from 1000 to 9999");
    int month = integer(trigger, "month", -ANY, ANY, "");
    int day = integer(trigger, "day", -ANY, ANY, "");
    return String.format(Locale.ROOT, "%d-%02d-%02d", year, month, day);
  }

  /** A number outside int's range becomes the nearest int: no year, month or day either. */
  private static int integer(Map<?, ?> trigger, String name, double min, double max, String range) {
    if (trigger.get(name) instanceof Double number && Json.isInteger(number, min, max)) {
      return number.intValue();
    }
    throw invalid(name, "expected an integer" + range);
  }

  private static RunFailure invalid(String member, String text) {
    return new RunFailure(Errors.Code.INVALID_EVENT, member + ": " + text);
  }
}
