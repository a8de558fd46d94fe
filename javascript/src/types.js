// The shapes that cross between the steps; SPEC.md's glossary explains the words.

/** @import { Readable } from 'node:stream' */

/**
 * S1 to S16, read once per sandbox.
 * @typedef {object} Config
 * @property {string} srcBucket
 * @property {string} srcPrefix
 * @property {string} dstBucket
 * @property {string} dstPrefix
 * @property {number} chunkBytes
 * @property {number} concurrency
 * @property {number} gzipLevel
 * @property {number} maxSourceBytes
 * @property {LogLevel} logLevel
 * @property {string | undefined} endpoint
 * @property {string} region
 * @property {'sdk' | 'light'} s3Client
 */

/** @typedef {'DEBUG' | 'INFO' | 'WARN' | 'ERROR'} LogLevel */

/**
 * What the trigger asks for.
 * @typedef {object} Day
 * @property {string} date `yyyy-mm-dd`, UTC
 * @property {boolean} force
 * @property {string | null} account
 */

/**
 * One object below a day's folder in the source bucket.
 * @typedef {object} Source
 * @property {string} key
 * @property {number} size bytes, as listed
 */

/**
 * One page of a listing.
 * @typedef {object} Page
 * @property {Source[]} objects in byte order
 * @property {string[]} prefixes common prefixes, with their final delimiter
 * @property {string | undefined} nextToken absent on the last page
 */

/** @typedef {() => void} OnBegin called once, when the request's turn has come (O3) */

/**
 * The narrow door to S3. Failures are `S3_ERROR`; a `get` may also fail with `MISSING` or `TOO_LARGE`.
 * @typedef {object} Door
 * @property {(bucket: string, prefix: string, delimiter?: string, token?: string, onBegin?: OnBegin) => Promise<Page>
 * } listPage
 * @property {(bucket: string, key: string, limitBytes: number, onBegin?: OnBegin) => Promise<Buffer>} get
 * the caller owns the bytes
 * @property {(bucket: string, key: string, bytes: Buffer, contentType: string, onBegin?: OnBegin) => Promise<void>} put
 * @property {(bucket: string, fromKey: string, toKey: string) => Promise<void>} copy
 * @property {(bucket: string, key: string) => Promise<void>} delete
 * @property {Promise<never>} failed rejects with the first S3_ERROR, whoever waits for that request
 * @property {() => void} close cancels what is pending; every later call fails
 */

/**
 * ListObjectsV2's answer, by S3's own names; keys and prefixes are encoded as `EncodingType` says.
 * @typedef {object} Listing
 * @property {boolean | undefined} [IsTruncated]
 * @property {string | undefined} [NextContinuationToken]
 * @property {string | undefined} [EncodingType]
 * @property {{Key?: string | undefined, Size?: number | string | undefined}[] | undefined} [Contents]
 * @property {{Prefix?: string | undefined}[] | undefined} [CommonPrefixes]
 */

/**
 * What S12 chooses: S3 without repeats, one attempt a call. A refusal is an error whose `name` is S3's code, with
 * `$metadata.httpStatusCode`; an attempt that came to no answer is any other error.
 * @typedef {object} Client
 * @property {(bucket: string, prefix: string, delimiter: string | undefined, token: string | undefined,
 *   signal: AbortSignal) => Promise<Listing>} listPage
 * @property {(bucket: string, key: string, signal: AbortSignal) => Promise<{stream: Readable, length?: number | undefined}>
 * } get `length` is what the body should come to
 * @property {(bucket: string, key: string, bytes: Buffer, contentType: string, signal: AbortSignal) => Promise<void>} put
 * @property {(bucket: string, source: string, toKey: string, signal: AbortSignal) => Promise<void>} copy `source` is
 * bucket and key, encoded
 * @property {(bucket: string, key: string, signal: AbortSignal) => Promise<void>} delete
 * @property {() => void} destroy closes the connections
 */

/**
 * A source's records as they are written: each ends in LF and holds no other CR or LF.
 * @typedef {object} Lines
 * @property {Buffer} bytes
 * @property {number} count
 */

/**
 * A chunk that is put (W1) and where it is to be published (W4).
 * @typedef {object} Chunk
 * @property {string} hiddenKey
 * @property {string} key
 * @property {number} records
 * @property {number} bytes
 */

/**
 * E6, as the steps see it; handler.js has it.
 * @typedef {object} TimeLimit
 * @property {() => void} check throws once the moment has passed
 * @property {() => void} disarm from here the run goes on, whatever the time
 */

/**
 * O1.
 * @typedef {object} Result
 * @property {string} day
 * @property {number} sources
 * @property {number} bad
 * @property {number} records
 * @property {number} bytes
 * @property {number} chunks
 * @property {number} deleted
 */

export {};
