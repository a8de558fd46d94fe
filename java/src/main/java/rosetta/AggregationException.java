// Step: errors, what is thrown. SPEC E2: one exception with a code.
package rosetta;

import java.util.Objects;

/**
 * Ends a run, or with a code of a source makes that source bad. The message is what the caller
 * sees, and part of the contract.
 */
final class AggregationException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Errors.Code code;

  AggregationException(Errors.Code code, String detail) {
    this(code, detail, null);
  }

  /**
   * @param detail what follows the code and its colon
   * @param cause library wording for the log, or null
   */
  AggregationException(Errors.Code code, String detail, Throwable cause) {
    super(code + ": " + detail, cause);
    this.code = code;
  }

  Errors.Code code() {
    return code;
  }

  /** What the library said, for the log, or null. */
  String wording() {
    Throwable cause = getCause();
    return cause instanceof FailedAttempt ? cause.getMessage() : Objects.toString(cause, null);
  }
}
