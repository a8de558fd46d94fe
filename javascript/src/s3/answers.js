// S3's answers, for both clients (SPEC.md L4, L8, R2, E4, E5): listings, keys, bodies, refusals.

import { AggregationError } from '../errors.js';

/** @import { Readable } from 'node:stream' */
/** @import { Page } from '../store.js' */

const MOST_BYTES = 2 ** 53;
const CODE = /^[A-Za-z][A-Za-z0-9.]*$/;
/** 4xx answers after which another attempt may succeed. */
const PASSING = new Set([408, 409, 429]);

/**
 * ListObjectsV2's answer by S3's own names.
 * @typedef {object} Listing
 * @property {boolean | undefined} [IsTruncated]
 * @property {string | undefined} [NextContinuationToken]
 * @property {string | undefined} [EncodingType] how keys and prefixes are encoded
 * @property {{Key?: string | undefined, Size?: number | string | undefined}[]
 *   | undefined} [Contents]
 * @property {{Prefix?: string | undefined}[] | undefined} [CommonPrefixes]
 */

/**
 * L8: an answer that is not a page has failed.
 * @param {Listing} listing
 * @param {string} asked the prefix that was asked for
 * @returns {Page}
 */
export const toPage = (listing, asked) => {
  const { IsTruncated, NextContinuationToken, EncodingType } = listing;
  const { Contents = [], CommonPrefixes = [] } = listing;
  if (IsTruncated === undefined) throw new Error('a list without IsTruncated');
  if (IsTruncated && !NextContinuationToken) throw new Error('a truncated list without a token');
  const read = (/** @type {string | undefined} */ text = '') => {
    const key = EncodingType === 'url' ? decodeKey(text) : text;
    if (!key.startsWith(asked)) throw new Error('a list with a key outside its prefix');
    return key;
  };
  return {
    objects: Contents.map(({ Key, Size }) => ({ key: read(Key), size: readSize(Size) })),
    prefixes: CommonPrefixes.map(({ Prefix }) => read(Prefix)),
    nextToken: IsTruncated ? NextContinuationToken : undefined,
  };
};

/** @param {number | string | undefined} size */
const readSize = (size) => {
  const bytes = /^[0-9]+$/.test(String(size)) ? Number(size) : Number.NaN;
  if (!(bytes <= MOST_BYTES)) throw new Error(`a list with the size ${size}`);
  return bytes;
};

/**
 * The url encoding of listings writes a space as '+'.
 * @param {string} key
 */
const decodeKey = (key) => decodeURIComponent(key.replaceAll('+', ' '));

/**
 * How CopyObject names the object to copy.
 * @param {string} bucket
 * @param {string} key
 */
export const copySource = (bucket, key) =>
  [bucket, ...key.split('/')].map(encodeURIComponent).join('/');

/**
 * A body up to its end. By events, because an iterator costs more than a small body.
 * @param {Readable} stream fails if the connection ends before the body
 * @param {number} limitBytes
 * @returns {Promise<Buffer | null>} null when there is more, which is then not read
 */
export const collect = (stream, limitBytes) =>
  new Promise((resolve, reject) => {
    /** @type {Buffer[]} */
    const pieces = [];
    let size = 0;
    stream.on('data', (piece) => {
      pieces.push(piece);
      size += piece.length;
      if (size <= limitBytes) return;
      resolve(null);
      stream.destroy();
    });
    stream.on('end', () => {
      const [first = Buffer.alloc(0), ...others] = pieces;
      resolve(others.length === 0 ? first : Buffer.concat(pieces, size));
    });
    stream.on('error', reject);
  });

/**
 * The answer that an error tells of. The SDK has names of its own for errors without a code.
 * @param {unknown} error
 * @returns {{status: number, code: string}} 0 and '' for what S3 has not sent
 */
export const refusalIn = (error) => {
  const { $metadata, Code } = /** @type {any} */ (error);
  const code = CODE.test(Code) ? Code : '';
  return { status: $metadata?.httpStatusCode ?? 0, code };
};

/**
 * E5. A redirect is final, too: it names another region, and another attempt would change nothing.
 * @param {number} status
 * @param {string} code
 */
export const isFinal = (status, code) => {
  if (PASSING.has(status) || (status === 400 && code === 'RequestTimeout')) return false;
  return status >= 300 && status < 500;
};

/**
 * What a refusal may tell of the object. A code counts only with its own status.
 * @satisfies {Record<string, (status: number, code: string) => boolean>}
 */
const TOLD = {
  MISSING: (/** @type {number} */ status, /** @type {string} */ code) =>
    status === 404 && code === 'NoSuchKey',
  ARCHIVED: (/** @type {number} */ status, /** @type {string} */ code) =>
    status === 403 && code === 'InvalidObjectState',
  CHANGED: (/** @type {number} */ status) => status === 412,
};

/**
 * Makes a refusal that its request expects an answer of the contract, which is not repeated.
 * @param {(keyof typeof TOLD)[]} expected
 * @returns {(error: any) => never}
 */
export const toAnswer =
  (...expected) =>
  (error) => {
    const { status, code } = refusalIn(error);
    const told = expected.find((each) => TOLD[each](status, code));
    throw told ? new AggregationError(told, error.message) : error;
  };
