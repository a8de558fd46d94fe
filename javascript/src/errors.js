// Step: errors (SPEC.md E1 to E4, B1): the error type of all steps, and the texts that callers see.
// The codes of bad sources (MISSING to NO_RECORDS) are thrown as the same type; the handler catches
// them.

const SOURCE_CODES = new Set([
  'MISSING',
  'ARCHIVED',
  'TOO_LARGE',
  'BAD_GZIP',
  'BAD_JSON',
  'NO_RECORDS',
]);
const NAMED_BAD_SOURCES = 10;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to escape
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;

/** An error of the contract. The message is code, colon and text; `cause` is for the log only. */
export class AggregationError extends Error {
  /**
   * @param {string} code one of E1
   * @param {string} text
   * @param {string} [cause] library wording
   */
  constructor(code, text, cause) {
    super(`${code}: ${text}`, cause === undefined ? undefined : { cause });
    this.name = 'AggregationError';
    this.code = code;
  }
}

/**
 * The code if the error means that one source is bad, else null.
 * @param {unknown} error
 */
export const sourceCode = (error) =>
  error instanceof AggregationError && SOURCE_CODES.has(error.code) ? error.code : null;

/**
 * E3: a key as messages show it.
 * @param {string} key
 */
export const escapeKey = (key) => key.replace(CONTROLS, escapeUnit);

/** @param {string} unit */
const escapeUnit = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * E4.
 * @param {string} operation
 * @param {string} key
 * @param {string} cause
 */
export const s3Error = (operation, key, cause) =>
  new AggregationError('S3_ERROR', `${operation} ${escapeKey(key)}`, cause);

/**
 * B1.
 * @param {number} sources
 * @param {{key: string, code: string}[]} bad in key order
 */
export const badSourcesError = (sources, bad) => {
  const named = bad
    .slice(0, NAMED_BAD_SOURCES)
    .map(({ key, code }) => `${escapeKey(key)} (${code})`);
  const rest = bad.length - named.length;
  if (rest > 0) named.push(`and ${rest} more`);
  return new AggregationError('BAD_SOURCES', `${bad.length} of ${sources}: ${named.join(', ')}`);
};

/**
 * E2: a fault that the contract does not name.
 * @param {unknown} error
 */
export const internalError = (error) =>
  new AggregationError('INTERNAL', 'see the log', describe(error));

/**
 * The wording of a library's error, for the log.
 * @param {unknown} error
 * @returns {string}
 */
export const describe = (error) => {
  if (!(error instanceof Error)) return String(error);
  // A connection that failed on several addresses gives the reason only in its parts.
  const parts = error instanceof AggregateError ? error.errors : [];
  return [`${error.name}: ${error.message}`, ...parts.map(describe)].join('; ');
};

/**
 * A rejection that nobody awaits ends the process. This promise may be awaited late or never.
 * @template T
 * @param {Promise<T>} promise
 */
export const handled = (promise) => {
  promise.catch(() => {});
  return promise;
};
