// S12 `light`: S3 by Node's HTTP client with AWS's own signer and XML parser, one attempt a call.

import { crc32 } from 'node:zlib';
import { parseXML } from '@aws-sdk/xml-builder';
import { buildQueryString, escapeUri, HttpRequest } from '@smithy/core/protocols';
import { addressOf } from './address.js';
import { collect, copySource, toPage } from './answers.js';
import { Connections } from './connections.js';
import { findCredentials } from './credentials.js';
import { sendRequest } from './http.js';
import { createSigner } from './signer.js';

/** @import { IncomingMessage } from 'node:http' */
/** @import { Config, Environment } from '../config.js' */
/** @import { Condition, S3Client } from '../store.js' */

const MOST_TEXT_BYTES = 16 * 1024 * 1024;
const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
]);

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} bucket
 * @property {string} [key]
 * @property {Record<string, string>} [query]
 * @property {Record<string, string>} [headers]
 * @property {Buffer} [body]
 */

/** @implements {S3Client} */
export class LightClient {
  connections;
  #config;
  #signer;
  /** @type {Map<string, ReturnType<typeof addressOf>>} by bucket */
  #addresses = new Map();

  /**
   * @param {Config} config
   * @param {Environment} env where the credentials are (S16)
   * @param {number} idleMs
   */
  constructor(config, env, idleMs) {
    this.#config = config;
    this.connections = new Connections(config, idleMs);
    this.#signer = createSigner(config.region, findCredentials(env));
  }

  /** @type {S3Client['listPage']} */
  async listPage({ bucket, prefix, delimiter, token }, signal) {
    const query = {
      'list-type': '2',
      'encoding-type': 'url',
      prefix,
      ...(delimiter && { delimiter }),
      ...(token && { 'continuation-token': token }),
    };
    const answer = await this.#send({ method: 'GET', bucket, query }, signal);
    const listing = await readResult(answer, 'ListBucketResult');
    const page = {
      ...listing,
      IsTruncated: BOOLEANS.get(listing.IsTruncated),
      // The parser makes an array only of an element that occurs twice.
      Contents: [listing.Contents ?? []].flat(),
      CommonPrefixes: [listing.CommonPrefixes ?? []].flat(),
    };
    return toPage(page, prefix);
  }

  /** @type {S3Client['get']} */
  async get(bucket, key, limitBytes, signal) {
    return collect(await this.#send({ method: 'GET', bucket, key }, signal), limitBytes);
  }

  /** @type {S3Client['getTagged']} */
  async getTagged(bucket, key, limitBytes, signal) {
    const answer = await this.#send({ method: 'GET', bucket, key }, signal);
    return { bytes: await collect(answer, limitBytes), etag: answer.headers.etag };
  }

  /** @type {S3Client['put']} */
  async put({ bucket, key, bytes: body, contentType, ...condition }, signal) {
    const headers = {
      'content-type': contentType,
      'content-length': String(body.length),
      'x-amz-checksum-crc32': checksumOf(body),
      ...conditionHeaders(condition),
    };
    const answer = await this.#send({ method: 'PUT', bucket, key, headers, body }, signal);
    await readText(answer);
    return answer.headers.etag;
  }

  /** @type {S3Client['copy']} */
  async copy(bucket, fromKey, toKey, signal) {
    const headers = { 'x-amz-copy-source': copySource(bucket, fromKey), 'content-length': '0' };
    const answer = await this.#send({ method: 'PUT', bucket, key: toKey, headers }, signal);
    const { ETag } = await readResult(answer, 'CopyObjectResult');
    if (!ETag) throw new Error('a copy without its ETag');
  }

  /** @type {S3Client['delete']} */
  async delete({ bucket, key, ...condition }, signal) {
    const headers = conditionHeaders(condition);
    await readText(await this.#send({ method: 'DELETE', bucket, key, headers }, signal));
  }

  destroy() {
    this.connections.agent.destroy();
  }

  /**
   * Where a bucket is. It is parsed once; a malformed endpoint fails each attempt.
   * @param {string} bucket
   */
  #find(bucket) {
    const known = this.#addresses.get(bucket);
    if (known) return known;
    const found = addressOf(this.#config, bucket);
    this.#addresses.set(bucket, found);
    return found;
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} signal
   * @returns {Promise<IncomingMessage>} a 2xx answer, whose body is still to come
   */
  async #send({ method, bucket, key = '', query = {}, headers = {}, body }, signal) {
    const { protocol, host, hostname, port, folder } = this.#find(bucket);
    const path = `${folder}/${key.split('/').map(escapeUri).join('/')}`;
    const unsigned = { method, path, query, headers: { host, ...headers }, body };
    const signed = await this.#signer.sign(new HttpRequest(unsigned));
    const search = buildQueryString(query);
    const outgoing = {
      protocol,
      hostname,
      port,
      method,
      path: search ? `${path}?${search}` : path,
      headers: signed.headers,
    };
    const answer = await sendRequest(outgoing, body, this.connections, signal);
    const httpStatusCode = answer.statusCode ?? 0;
    if (httpStatusCode >= 200 && httpStatusCode < 300) return answer;
    throw Object.assign(refusal(await readText(answer)), { $metadata: { httpStatusCode } });
  }
}

/**
 * @param {Condition} condition
 * @returns {Record<string, string>}
 */
const conditionHeaders = ({ IfMatch, IfNoneMatch }) => ({
  ...(IfMatch && { 'if-match': IfMatch }),
  ...(IfNoneMatch && { 'if-none-match': IfNoneMatch }),
});

/**
 * W14.
 * @param {Buffer} body
 */
const checksumOf = (body) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString('base64');
};

/**
 * L8: what S3 says in XML has an end.
 * @param {IncomingMessage} answer
 */
const readText = async (answer) => {
  const body = await collect(answer, MOST_TEXT_BYTES);
  if (!body) throw new Error(`an answer of more than ${MOST_TEXT_BYTES} bytes`);
  return String(body);
};

/**
 * S3 may answer 200 and tell of a failure in the body.
 * @param {IncomingMessage} answer
 * @param {string} name of the root element
 * @returns {Promise<any>} its content
 */
const readResult = async (answer, name) => {
  const body = await readText(answer);
  const { [name]: result = null } = parseXML(body);
  if (result === null) throw refusal(body);
  return result;
};

/**
 * An error with the code that S3 gives it, as the SDK's have.
 * @param {string} body
 */
const refusal = (body) => {
  try {
    const { Code, Message } = parseXML(body).Error;
    return Object.assign(new Error(`${Code}: ${Message}`), { Code });
  } catch {
    return new Error(`not an answer of S3: ${body.slice(0, 200)}`);
  }
};
