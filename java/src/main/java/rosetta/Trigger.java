// Step: trigger. SPEC T1 to T7: the event's text becomes the day of the run.
// Holds the event, whose size Lambda bounds.
package rosetta;

import java.io.IOException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import rosetta.Errors.RunFailure;
import rosetta.json.Json;

/** Reads the event. */
final class Trigger {
  /**
   * The day of a run.
   *
   * @param account 12 digits, or null for all accounts
   */
  record Day(LocalDate date, boolean force, String account) {
    /** {@code yyyy/mm/dd/}, as in keys. */
    String folder() {
      return date.toString().replace('-', '/') + "/";
    }

    /** Where the day's chunks and its manifest are (T7). */
    String outputPrefix(String dstPrefix) {
      return dstPrefix + (account == null ? "" : account + "/") + folder();
    }
  }

  /** A date as the trigger names it; the calendar may lack it. */
  private record NamedDate(int year, int month, int day) {
    LocalDate inCalendar() {
      try {
        return LocalDate.of(year, month, day);
      } catch (DateTimeException e) {
        throw noSuchDay();
      }
    }
  }

  private static final Pattern TIME =
      Pattern.compile(
          "([1-9][0-9]{3})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z");
  private static final Pattern ACCOUNT = Pattern.compile("[0-9]{12}");

  private Trigger() {}

  /** Throws INVALID_EVENT for a bad member, else INVALID_DATE for a date outside the calendar. */
  static Day parse(byte[] event) {
    Map<?, ?> trigger = trigger(event);
    boolean scheduled = "aws.scheduler".equals(trigger.get("source"));
    NamedDate named = scheduled ? dateOfTime(trigger.get("time")) : dateOfMembers(trigger);
    Object forced = trigger.containsKey("force") ? trigger.get("force") : false;
    if (!(forced instanceof Boolean force)) {
      throw invalid("force", "expected true or false");
    }
    Object account = trigger.get("account");
    if (trigger.containsKey("account")
        && !(account instanceof String digits && ACCOUNT.matcher(digits).matches())) {
      throw invalid("account", "expected 12 digits in a string");
    }
    LocalDate date = named.inCalendar();
    return new Day(scheduled ? dayBefore(date) : date, force, (String) account);
  }

  private static Map<?, ?> trigger(byte[] event) {
    Object value;
    try {
      value = Json.parse(event);
    } catch (IOException e) {
      value = null;
    }
    if (!(value instanceof Map<?, ?> members)) {
      throw invalid("event", "expected a JSON object");
    }
    return members.containsKey("Records") ? fromQueue(members.get("Records")) : members;
  }

  private static Map<?, ?> fromQueue(Object records) {
    if (records instanceof List<?> list
        && list.size() == 1
        && list.get(0) instanceof Map<?, ?> message
        && message.get("body") instanceof String body) {
      try {
        if (Json.parse(body) instanceof Map<?, ?> trigger) {
          return trigger;
        }
      } catch (IOException e) {
        // the failure below tells it
      }
    }
    throw invalid("Records", "expected exactly one record whose body is a JSON object");
  }

  private static NamedDate dateOfTime(Object time) {
    Matcher parts = TIME.matcher(time instanceof String text ? text : "");
    if (!parts.matches()) {
      throw invalid("time", "expected yyyy-mm-ddThh:mm:ssZ");
    }
    return new NamedDate(
        Integer.parseInt(parts.group(1)),
        Integer.parseInt(parts.group(2)),
        Integer.parseInt(parts.group(3)));
  }

  private static NamedDate dateOfMembers(Map<?, ?> trigger) {
    int year = integer(trigger, "year", "expected an integer from 1000 to 9999");
    if (year < 1000 || year > 9999) {
      throw invalid("year", "expected an integer from 1000 to 9999");
    }
    int month = integer(trigger, "month", "expected an integer");
    return new NamedDate(year, month, integer(trigger, "day", "expected an integer"));
  }

  /** A number beyond the range of int becomes its nearest: no month or day is as large either. */
  private static int integer(Map<?, ?> trigger, String member, String text) {
    if (trigger.get(member) instanceof Double number
        && number == Math.rint(number)
        && !number.isInfinite()) {
      return number.intValue();
    }
    throw invalid(member, text);
  }

  private static LocalDate dayBefore(LocalDate named) {
    LocalDate day = named.minusDays(1);
    if (day.getYear() < 1000) {
      throw noSuchDay();
    }
    return day;
  }

  private static RunFailure noSuchDay() {
    return new RunFailure(Errors.Code.INVALID_DATE, "the calendar has no such day");
  }

  private static RunFailure invalid(String member, String text) {
    return new RunFailure(Errors.Code.INVALID_EVENT, member + ": " + text);
  }
}
