// Step: attempts, what is thrown inside. SPEC E5: an attempt that failed, whichever client made it.
package rosetta;

/** Ends one attempt of a request; {@link Attempts} says whether another one follows. */
final class FailedAttempt extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;

  /** No answer, or one that broke off. */
  FailedAttempt(Exception cause) {
    super(cause.toString(), cause);
    status = 0;
    code = "";
  }

  /**
   * An answer that isn't the one asked for.
   *
   * @param code S3's own, empty if it gave none
   * @param wording for the log
   */
  FailedAttempt(int status, String code, String wording) {
    super(wording);
    this.status = status;
    this.code = code;
  }

  String code() {
    return code;
  }

  /** True when the answer says that asking again can't help. */
  boolean isFinal() {
    return status >= 300 && status < 500 && status != 408 && status != 429;
  }
}
