// Part of the step store (SPEC.md S12, E5): S3 by AWS's SDK, one attempt a call.
// The SDK's own retries are off, attempts.js has ours. Holds one client of the SDK for each bucket: a client keeps the
// steps of an operation and their context between requests, and with it where the latest bucket is.

import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { buildQueryString, HttpResponse } from '@smithy/core/protocols';
import { getSchemaSerdePlugin } from '@smithy/core/schema';
import { findCredentials } from './credentials.js';
import { Sender } from './sender.js';
import { createSigner, Sha256 } from './signer.js';

/** @import { DeserializeMiddleware, HttpRequest } from '@smithy/types' */
/** @import { Readable } from 'node:stream' */
/** @import { Environment } from './config.js' */
/** @import { Client, Config } from './types.js' */

/** Steps of each request that the contract has no use for. They only add headers or repeat, or do nothing as we set them. */
const UNUSED_STEPS = [
  'loggerMiddleware',
  'getUserAgentMiddleware',
  'recursionDetectionMiddleware',
  'addExpectContinueMiddleware',
  'regionRedirectMiddleware',
];

/** Where an input carries the run's signal through the steps: an SDK that is given one makes all its steps anew. */
const SIGNAL = Symbol('signal');

/** @typedef {HttpRequest & {[SIGNAL]: AbortSignal}} Signalled */

/** @implements {Client} */
export class SdkStore {
  #sender;
  #options;
  /** @type {Map<string, S3Client>} by bucket */
  #clients = new Map();

  /**
   * @param {Config} config
   * @param {Environment} env where S16's credentials are
   * @param {number} idleMs
   */
  constructor(config, env, idleMs) {
    this.#sender = new Sender(config.concurrency, idleMs);
    const credentials = findCredentials(env);
    this.#options = {
      region: config.region,
      ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint, forcePathStyle: true }),
      credentials,
      signer: createSigner(config.region, credentials),
      sha256: Sha256,
      cacheMiddleware: true,
      requestHandler: { handle: (/** @type {Signalled} */ request) => this.#send(request) },
      maxAttempts: 1,
      requestChecksumCalculation: /** @type {const} */ ('WHEN_REQUIRED'),
      responseChecksumValidation: /** @type {const} */ ('WHEN_REQUIRED'),
      expectContinueHeader: false,
    };
    // At once, for the initialisation costs nothing.
    for (const bucket of [config.srcBucket, config.dstBucket]) this.#clientOf(bucket);
  }

  /**
   * @param {{Bucket: string | undefined}} input
   * @param {AbortSignal} signal
   */
  #clientFor(input, signal) {
    Object.assign(input, { [SIGNAL]: signal });
    return this.#clientOf(String(input.Bucket));
  }

  /** @param {string} bucket */
  #clientOf(bucket) {
    const known = this.#clients.get(bucket);
    if (known) return known;
    const client = new S3Client(this.#options);
    // Three steps copy the configuration for each request: 22 us each as the SDK leaves it, 3 us of a plain copy.
    const config = { ...client.config };
    Object.assign(client, { config });
    client.middlewareStack.use(getSchemaSerdePlugin(config));
    for (const step of UNUSED_STEPS) client.middlewareStack.remove(step);
    // Signing has its place by this one's name.
    client.middlewareStack.add((next) => next, {
      step: 'finalizeRequest',
      priority: 'high',
      name: 'retryMiddleware',
      override: true,
    });
    client.middlewareStack.add(passSignal, { step: 'deserialize', priority: 'low', name: 'passSignal' });
    this.#clients.set(bucket, client);
    return client;
  }

  /** @param {Signalled} request */
  async #send({ protocol, hostname, port, method, path, query, headers, body, [SIGNAL]: signal }) {
    const search = buildQueryString(query ?? {});
    const full = search ? `${path}?${search}` : path;
    const host = hostname.replace(/^\[|\]$/g, '');
    // Node would send a copy's missing body in chunks.
    const sized = method === 'PUT' && body === undefined ? { ...headers, 'content-length': '0' } : headers;
    const outgoing = { protocol, hostname: host, port, method, path: full, headers: sized, body };
    const answer = await this.#sender.send(outgoing, signal);
    const { 'content-length': length } = answer.headers;
    // The SDK would take every other header apart, too.
    const response = new HttpResponse({
      statusCode: answer.statusCode ?? 0,
      headers: length === undefined ? {} : { 'content-length': length },
      body: answer,
    });
    return { response };
  }

  /** @type {Client['listPage']} */
  async listPage(bucket, prefix, delimiter, token, signal) {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      EncodingType: 'url',
    });
    const page = await this.#clientFor(command.input, signal).send(command);
    requireResult(page.IsTruncated);
    return page;
  }

  /** @type {Client['get']} */
  async get(bucket, key, signal) {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { Body, ContentLength } = await this.#clientFor(command.input, signal).send(command);
    return { stream: /** @type {Readable} */ (Body), length: ContentLength };
  }

  /** @type {Client['put']} */
  async put(bucket, key, bytes, contentType, signal) {
    const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType });
    await this.#clientFor(command.input, signal).send(command);
  }

  /** @type {Client['copy']} */
  async copy(bucket, source, toKey, signal) {
    const command = new CopyObjectCommand({ Bucket: bucket, Key: toKey, CopySource: source });
    const { CopyObjectResult } = await this.#clientFor(command.input, signal).send(command);
    requireResult(CopyObjectResult?.ETag);
  }

  /** @type {Client['delete']} */
  async delete(bucket, key, signal) {
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key });
    await this.#clientFor(command.input, signal).send(command);
  }

  destroy() {
    this.#sender.destroy();
    for (const client of this.#clients.values()) client.destroy();
  }
}

/**
 * The SDK takes any XML for a result: an empty page would end the listing.
 * @param {unknown} member
 */
const requireResult = (member) => {
  if (member === undefined) throw new Error('200 without a result');
};

/** @type {DeserializeMiddleware<any, any>} */
const passSignal = (next) => (args) => {
  /** @type {any} */ (args.request)[SIGNAL] = args.input[SIGNAL];
  return next(args);
};
