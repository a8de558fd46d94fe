// Step: errors (SPEC.md E1 to E3): the error type of all steps, and the texts that callers see.
// The codes of bad sources (MISSING to NO_RECORDS) are thrown as the same type; the handler
// catches them.

const SOURCE_CODES = new Set([
  'MISSING',
  'ARCHIVED',
  'TOO_LARGE',
  'BAD_GZIP',
  'BAD_JSON',
  'NO_RECORDS',
]);
/** zlib's, a Buffer's, and a string's that is longer than V8 can hold. */
const OUT_OF_MEMORY = new Set([
  'Z_MEM_ERROR',
  'ERR_MEMORY_ALLOCATION_FAILED',
  'ERR_STRING_TOO_LONG',
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
 * @param {string} code of S3; may be empty
 * @param {string} cause
 */
export const s3Error = (operation, key, code, cause) => {
  const named = code ? ` (${code})` : '';
  return new AggregationError('S3_ERROR', `${operation} ${escapeKey(key)}${named}`, cause);
};

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
 * E10. V8 ends the process by itself when its heap is full; memory outside it is told by an error.
 * @param {unknown} error
 */
export const endIfOutOfMemory = (error) => {
  const { code = '', message = '' } = /** @type {NodeJS.ErrnoException} */ (error ?? {});
  const isFull = error instanceof RangeError && /allocation|Invalid .*length/.test(message);
  if (isFull || OUT_OF_MEMORY.has(code)) process.exit(1);
};

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
