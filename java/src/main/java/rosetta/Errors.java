// Step: errors. SPEC E1 to E4: the closed list of codes, and what several steps say alike.
// Holds nothing.
package rosetta;

import java.util.Locale;

/** The codes, and the errors that are made of a key. */
final class Errors {
  /** What can go wrong: of a run, and from {@link #MISSING} on, of one source. */
  enum Code {
    BAD_SETTINGS,
    INVALID_EVENT,
    INVALID_DATE,
    NO_TRAIL,
    BAD_MANIFEST,
    FEWER_SOURCES,
    BAD_SOURCES,
    S3_ERROR,
    OUT_OF_TIME,
    INTERNAL,
    MISSING,
    TOO_LARGE,
    BAD_GZIP,
    BAD_JSON,
    NO_RECORDS;

    /** True of the codes that make one source bad (B) and let the run go on. */
    boolean isOfSource() {
      return compareTo(MISSING) >= 0;
    }
  }

  private Errors() {}

  /** A request that failed for good (E4). */
  static AggregationException ofRequest(String operation, String key, Throwable cause) {
    return new AggregationException(Code.S3_ERROR, operation + " " + escape(key), cause);
  }

  /** A bad source; only its code is ever shown. */
  static AggregationException ofSource(Code code, Throwable cause) {
    return new AggregationException(code, "bad source", cause);
  }

  /** The key as messages show it (E3). */
  static String escape(String key) {
    StringBuilder escaped = new StringBuilder(key.length());
    for (int i = 0; i < key.length(); i++) {
      char c = key.charAt(i);
      if (Character.isISOControl(c)) {
        escaped.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
      } else {
        escaped.append(c);
      }
    }
    return escaped.toString();
  }
}
