// Part of the step store (SPEC.md S12, E5): S3 by AWS's SDK, one attempt a call.
// The SDK's own retries are off, attempts.js has ours. Holds the SDK's client.

import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { openAgents } from './agents.js';
import { findCredentials } from './credentials.js';
import { Sha256 } from './signer.js';

/** @import { Readable } from 'node:stream' */
/** @import { Environment } from './config.js' */
/** @import { Client, Config } from './types.js' */

/** @implements {Client} */
export class SdkStore {
  #client;

  /**
   * @param {Config} config
   * @param {Environment} env where S16's credentials are
   * @param {number} idleMs
   */
  constructor(config, env, idleMs) {
    const { http, https } = openAgents(config.concurrency, idleMs);
    this.#client = new S3Client({
      region: config.region,
      ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
      credentials: findCredentials(env),
      sha256: Sha256,
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      // Its own time limits are off: one of them starts 3 s late.
      requestHandler: new NodeHttpHandler({ httpAgent: http, httpsAgent: https }),
    });
  }

  /** @type {Client['listPage']} */
  async listPage(bucket, prefix, delimiter, token, abortSignal) {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      EncodingType: 'url',
    });
    const page = await this.#client.send(command, { abortSignal });
    requireResult(page.IsTruncated);
    return page;
  }

  /** @type {Client['get']} */
  async get(bucket, key, abortSignal) {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const { Body, ContentLength } = await this.#client.send(command, { abortSignal });
    return { stream: /** @type {Readable} */ (Body), length: ContentLength };
  }

  /** @type {Client['put']} */
  async put(bucket, key, bytes, contentType, abortSignal) {
    const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType });
    await this.#client.send(command, { abortSignal });
  }

  /** @type {Client['copy']} */
  async copy(bucket, source, toKey, abortSignal) {
    const command = new CopyObjectCommand({ Bucket: bucket, Key: toKey, CopySource: source });
    const { CopyObjectResult } = await this.#client.send(command, { abortSignal });
    requireResult(CopyObjectResult?.ETag);
  }

  /** @type {Client['delete']} */
  async delete(bucket, key, abortSignal) {
    await this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
  }

  destroy() {
    this.#client.destroy();
  }
}

/**
 * The SDK takes any XML for a result: an empty page would end the listing.
 * @param {unknown} member
 */
const requireResult = (member) => {
  if (member === undefined) throw new Error('200 without a result');
};
