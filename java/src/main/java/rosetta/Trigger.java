// Step: trigger. SPEC T1 to T7: the event's text becomes the day that the run is for.
// Holds the event, which Lambda bounds.
package rosetta;

import java.io.IOException;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads the event. */
final class Trigger {
  /**
   * What a run is for.
   *
   * @param account 12 digits, or null for all accounts
   */
  record Day(LocalDate date, boolean force, String account) {
    /** {@code yyyy/mm/dd/}, as in keys. */
    String folder() {
      return date.toString().replace('-', '/') + "/";
    }
  }

  private static final Pattern TIME =
      Pattern.compile(
          "([1-9][0-9]{3})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z");
  private static final Pattern ACCOUNT = Pattern.compile("[0-9]{12}");

  private Trigger() {}

  /**
   * Throws INVALID_EVENT or INVALID_DATE; faults of members are told before those of the calendar.
   */
  static Day parse(byte[] event) {
    Map<?, ?> trigger = trigger(event);
    double[] date = date(trigger);
    Object named = trigger.containsKey("force") ? trigger.get("force") : false;
    if (!(named instanceof Boolean force)) {
      throw invalid("force", "expected true or false");
    }
    Object account = trigger.get("account");
    if (trigger.containsKey("account")
        && !(account instanceof String digits && ACCOUNT.matcher(digits).matches())) {
      throw invalid("account", "expected 12 digits in a string");
    }
    boolean scheduled = "aws.scheduler".equals(trigger.get("source"));
    return new Day(calendarDay(date, scheduled), force, (String) account);
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
        throw invalid("Records", "expected exactly one record whose body is a JSON object");
      }
    }
    throw invalid("Records", "expected exactly one record whose body is a JSON object");
  }

  /** Year, month and day as named, perhaps not in the calendar. */
  private static double[] date(Map<?, ?> trigger) {
    if ("aws.scheduler".equals(trigger.get("source"))) {
      Matcher time =
          TIME.matcher(trigger.get("time") instanceof String text ? text : "not a string");
      if (!time.matches()) {
        throw invalid("time", "expected yyyy-mm-ddThh:mm:ssZ");
      }
      return new double[] {
        Double.parseDouble(time.group(1)),
        Double.parseDouble(time.group(2)),
        Double.parseDouble(time.group(3))
      };
    }
    double year = integer(trigger, "year", "expected an integer from 1000 to 9999");
    if (year < 1000 || year > 9999) {
      throw invalid("year", "expected an integer from 1000 to 9999");
    }
    return new double[] {
      year,
      integer(trigger, "month", "expected an integer"),
      integer(trigger, "day", "expected an integer")
    };
  }

  private static double integer(Map<?, ?> trigger, String member, String text) {
    if (trigger.get(member) instanceof Double number
        && number == Math.rint(number)
        && !number.isInfinite()) {
      return number;
    }
    throw invalid(member, text);
  }

  private static LocalDate calendarDay(double[] date, boolean dayBefore) {
    try {
      // A double beyond int saturates, and no calendar has that day either.
      LocalDate named = LocalDate.of((int) date[0], (int) date[1], (int) date[2]);
      LocalDate day = dayBefore ? named.minusDays(1) : named;
      if (day.getYear() >= 1000) {
        return day;
      }
    } catch (DateTimeException e) {
      // told below
    }
    throw new AggregationException(Errors.Code.INVALID_DATE, "the calendar has no such day");
  }

  private static AggregationException invalid(String member, String text) {
    return new AggregationException(Errors.Code.INVALID_EVENT, member + ": " + text);
  }
}
