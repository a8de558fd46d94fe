// Step: errors. SPEC E1 to E3: the codes, and the texts that callers see.
// Holds no state.
package rosetta;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** The two kinds of error: one ends the run, the other makes one source bad. */
public final class Errors {
  /** Why a run ends. */
  public enum Code {
    BAD_SETTINGS,
    INVALID_EVENT,
    INVALID_DATE,
    NO_TRAIL,
    BAD_MANIFEST,
    FEWER_SOURCES,
    BAD_SOURCES,
    S3_ERROR,
    OUT_OF_TIME,
    BUSY,
    INTERNAL
  }

  /** Why a source is bad. */
  public enum SourceCode {
    MISSING,
    ARCHIVED,
    TOO_LARGE,
    BAD_GZIP,
    BAD_JSON,
    NO_RECORDS
  }

  private Errors() {}

  /** Ends the run. Its message is the one that the caller sees (E2). */
  public static final class RunFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RunFailure(Code code, String detail) {
      this(code, detail, null);
    }

    RunFailure(Code code, String detail, Throwable cause) {
      super(code + ": " + detail, cause);
    }
  }

  /** Makes one source bad (B); the run goes on. */
  public static final class BadSource extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final SourceCode code;

    public BadSource(SourceCode code) {
      this(code, null);
    }

    public BadSource(SourceCode code, Throwable cause) {
      super(code.name(), cause);
      this.code = code;
    }

    public SourceCode code() {
      return code;
    }
  }

  /** The bad sources of one run: their number, and the names of the first ten. */
  static final class BadSources {
    private static final int MAX_NAMED = 10;

    /** A line of the log (O2). */
    private record Line(String key, SourceCode code) {}

    private final Journal journal;
    private final List<String> named = new ArrayList<>();
    private long count;

    BadSources(Journal journal) {
      this.journal = journal;
    }

    void add(String key, SourceCode code) {
      journal.log(Journal.Level.WARN, "bad_source", new Line(key, code));
      count++;
      if (named.size() < MAX_NAMED) {
        named.add(escape(key) + " (" + code + ")");
      }
    }

    long count() {
      return count;
    }

    /** The failure of a run that has published everything else (B1). */
    RunFailure failure(long sources) {
      String more = count > named.size() ? ", and " + (count - named.size()) + " more" : "";
      String detail = count + " of " + sources + ": " + String.join(", ", named) + more;
      return new RunFailure(Code.BAD_SOURCES, detail);
    }
  }

  /** Waits for another thread; returns its result, or throws its error. */
  public static <T> T outcome(Future<T> work) throws InterruptedException {
    try {
      return work.get();
    } catch (ExecutionException e) {
      throw unchecked(e.getCause());
    }
  }

  /** The failure as one that needs no declaration; an error is thrown here. */
  static RuntimeException unchecked(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    return failure instanceof RuntimeException e ? e : new IllegalStateException(failure);
  }

  /** The failure that the caller sees: this one, or INTERNAL (E2). */
  static RunFailure forCaller(Throwable failure) {
    return failure instanceof RunFailure foreseen
        ? foreseen
        : new RunFailure(Code.INTERNAL, "see the log", failure);
  }

  /** A request that has failed for good, by the code of S3's answer or an empty one (E4). */
  static RunFailure ofRequest(String operation, String key, String s3Code, Throwable cause) {
    String code = s3Code.matches("[A-Za-z][A-Za-z0-9.]*") ? " (" + s3Code + ")" : "";
    return new RunFailure(Code.S3_ERROR, operation + " " + escape(key) + code, cause);
  }

  /** The key as messages show it (E3). */
  static String escape(String key) {
    StringBuilder escaped = new StringBuilder(key.length());
    for (int i = 0; i < key.length(); i++) {
      char c = key.charAt(i);
      boolean isControl = Character.isISOControl(c);
      escaped.append(isControl ? String.format(Locale.ROOT, "\\u%04x", (int) c) : c);
    }
    return escaped.toString();
  }
}
