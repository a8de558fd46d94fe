// Part of the step store (SPEC.md S12, S16, E5): S3 by Node's HTTP client, one attempt a call, with AWS's own signer
// and XML parser. Repeats nothing and follows no redirect. Holds the connections.

import { text } from 'node:stream/consumers';
import { urlToHttpOptions } from 'node:url';
import { parseXML } from '@aws-sdk/xml-builder';
import { buildQueryString, escapeUri, HttpRequest } from '@smithy/core/protocols';
import { findCredentials } from './credentials.js';
import { Sender } from './sender.js';
import { createSigner } from './signer.js';

/** @import { IncomingMessage } from 'node:http' */
/** @import { Environment } from './config.js' */
/** @import { Client, Config } from './types.js' */
/** @typedef {{folder: string, host: string, protocol: string, hostname: string, port: string | undefined}} Address */
/** @typedef {{method: string, bucket: string, key?: string, query?: Record<string, string>}} Target */

/** @implements {Client} */
export class LightStore {
  #config;
  #sender;
  #signer;
  /** @type {Map<string, Address>} of the two buckets */
  #addresses = new Map();

  /**
   * @param {Config} config
   * @param {Environment} env where S16's credentials are
   * @param {number} idleMs
   */
  constructor(config, env, idleMs) {
    this.#config = config;
    this.#sender = new Sender(config.concurrency, idleMs);
    this.#signer = createSigner(config.region, findCredentials(env));
  }

  /** @type {Client['listPage']} */
  async listPage(bucket, prefix, delimiter, token, signal) {
    /** @type {Record<string, string>} */
    const query = { 'list-type': '2', 'encoding-type': 'url', prefix };
    if (delimiter) query.delimiter = delimiter;
    if (token) query['continuation-token'] = token;
    const listing = await readResult(await this.#send({ method: 'GET', bucket, query }, signal), 'ListBucketResult');
    return {
      IsTruncated: listing.IsTruncated === 'true',
      NextContinuationToken: listing.NextContinuationToken,
      EncodingType: listing.EncodingType,
      // The parser makes an array of what occurs twice.
      Contents: [listing.Contents ?? []].flat(),
      CommonPrefixes: [listing.CommonPrefixes ?? []].flat(),
    };
  }

  /** @type {Client['get']} */
  async get(bucket, key, signal) {
    const answer = await this.#send({ method: 'GET', bucket, key }, signal);
    return { stream: answer, length: lengthOf(answer.rawHeaders) };
  }

  /** @type {Client['put']} */
  async put(bucket, key, bytes, contentType, signal) {
    const headers = { 'content-type': contentType, 'content-length': String(bytes.length) };
    await text(await this.#send({ method: 'PUT', bucket, key }, signal, headers, bytes));
  }

  /** @type {Client['copy']} */
  async copy(bucket, source, toKey, signal) {
    const headers = { 'x-amz-copy-source': source, 'content-length': '0' };
    await readResult(await this.#send({ method: 'PUT', bucket, key: toKey }, signal, headers), 'CopyObjectResult');
  }

  /** @type {Client['delete']} */
  async delete(bucket, key, signal) {
    await text(await this.#send({ method: 'DELETE', bucket, key }, signal));
  }

  destroy() {
    this.#sender.destroy();
  }

  /**
   * A malformed endpoint is met here, by each attempt.
   * @param {string} bucket
   */
  #find(bucket) {
    const known = this.#addresses.get(bucket);
    if (known) return known;
    const { origin, folder } = addressOf(this.#config, bucket);
    const url = new URL(origin);
    const hostname = String(urlToHttpOptions(url).hostname);
    const found = { folder, host: url.host, protocol: url.protocol, hostname, port: url.port || undefined };
    this.#addresses.set(bucket, found);
    return found;
  }

  /**
   * @param {Target} target
   * @param {AbortSignal} signal
   * @param {Record<string, string>} [headers]
   * @param {Buffer} [body]
   * @returns {Promise<IncomingMessage>} a 2xx answer, whose body is still to come
   */
  async #send({ method, bucket, key = '', query = {} }, signal, headers = {}, body) {
    const { folder, host, protocol, hostname, port } = this.#find(bucket);
    const path = `${folder}/${key.split('/').map(escapeUri).join('/')}`;
    const unsigned = new HttpRequest({ method, path, query, headers: { host, ...headers }, body });
    const signed = await this.#signer.sign(unsigned);
    const search = buildQueryString(query);
    const full = search ? `${path}?${search}` : path;
    const outgoing = { protocol, hostname, port, method, path: full, headers: signed.headers, body };
    const answer = await this.#sender.send(outgoing, signal);
    const httpStatusCode = answer.statusCode ?? 0;
    if (httpStatusCode >= 200 && httpStatusCode < 300) return answer;
    throw Object.assign(refusal(await text(answer)), { $metadata: { httpStatusCode } });
  }
}

/**
 * Where a bucket is: the certificate is for names without a dot.
 * @param {Config} config
 * @param {string} bucket
 */
const addressOf = ({ endpoint, region }, bucket) => {
  const regional = `s3.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`;
  if (endpoint === undefined && !bucket.includes('.')) return { origin: `https://${bucket}.${regional}`, folder: '' };
  return { origin: endpoint ?? `https://${regional}`, folder: `/${bucket}` };
};

/**
 * Without `headers`, for which Node takes all of them apart.
 * @param {string[]} names each with its value behind it
 */
const lengthOf = (names) => {
  const at = names.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
  return at < 0 ? 0 : Number(names[at + 1]);
};

/**
 * S3 may answer 200 and tell of a failure in the body.
 * @param {IncomingMessage} answer
 * @param {string} name of the root element
 * @returns {Promise<any>} what is in it
 */
const readResult = async (answer, name) => {
  const body = await text(answer);
  const { [name]: result = null } = parseXML(body);
  if (result === null) throw refusal(body);
  return result;
};

/**
 * An error with the name that S3 gives it, as the SDK's have.
 * @param {string} body
 */
const refusal = (body) => {
  try {
    const { Code: name, Message: message } = parseXML(body).Error;
    return Object.assign(new Error(message), { name });
  } catch {
    return new Error(`not an answer of S3: ${body.slice(0, 200)}`);
  }
};
