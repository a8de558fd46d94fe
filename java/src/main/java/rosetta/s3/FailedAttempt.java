// How an attempt of a request fails. SPEC E4, E5.
// Holds the answer's status and code.
package rosetta.s3;

/** One attempt of a request has failed. */
public final class FailedAttempt extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String code;

  /** S3 gave no answer, or one that broke off. */
  public FailedAttempt(Exception cause) {
    super(cause.toString(), cause);
    status = 0;
    code = "";
  }

  /**
   * S3 gave another answer than the expected one.
   *
   * @param code S3's error code, empty if there was none
   * @param wording the text for the log
   */
  public FailedAttempt(int status, String code, String wording) {
    super(wording);
    this.status = status;
    this.code = code;
  }

  public int status() {
    return status;
  }

  public String code() {
    return code;
  }
}
