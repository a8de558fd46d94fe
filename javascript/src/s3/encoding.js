// Keys as S3 writes them (SPEC.md L4), for both clients.

/** @import { Page } from '../store.js' */

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
 * @param {Listing} listing
 * @returns {Page}
 */
export const toPage = (listing) => {
  const { IsTruncated, NextContinuationToken, EncodingType } = listing;
  const { Contents = [], CommonPrefixes = [] } = listing;
  if (IsTruncated && !NextContinuationToken) throw new Error('a truncated list without a token');
  const decode = EncodingType === 'url' ? decodeKey : String;
  return {
    objects: Contents.map(({ Key = '', Size = 0 }) => ({ key: decode(Key), size: Number(Size) })),
    prefixes: CommonPrefixes.map(({ Prefix = '' }) => decode(Prefix)),
    nextToken: IsTruncated ? NextContinuationToken : undefined,
  };
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
