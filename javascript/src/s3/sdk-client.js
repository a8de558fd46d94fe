// S12 `sdk`: AWS's SDK by its documented options, one attempt a call.
// Two workarounds. The SDK takes any XML for the result of a listing or copy, so a member that each
// result has is looked for (E5, L8). Its agent is ours, which closes connections by their age and
// after a failure (E9, connections.js).
// Differs from the contract in three cases. The SDK starts a socketTimeout of 6 s or more only 3 s
// after the request has begun: a put without an answer, or a body that falls silent in that time,
// ends after up to 13 s, not 10 (E5). The SDK takes a root element of any name for a listing (L8).
// And it reads an answer of any length that is no object (L8).

import { Agent as HttpsAgent } from 'node:https';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { collect, copySource, toPage } from './answers.js';
import { Connections } from './connections.js';
import { findCredentials } from './credentials.js';

/** @import { Readable } from 'node:stream' */
/** @import { Config, Environment } from '../config.js' */
/** @import { S3Client as Interface } from '../store.js' */

const CONNECT_MS = 3_000;

/** S21: what the SDK would otherwise look up in the environment and in its files. */
const UNLOOKED = {
  authSchemePreference: [],
  defaultsMode: /** @type {const} */ ('standard'),
  disableS3ExpressSessionAuth: true,
  ignoreConfiguredEndpointUrls: true,
  retryMode: 'standard',
  sigv4aSigningRegionSet: [],
  useArnRegion: false,
  useDualstackEndpoint: false,
  useFipsEndpoint: false,
  userAgentAppId: '',
};

/** @implements {Interface} */
export class SdkClient {
  connections;
  #client;
  #idleMs;

  /**
   * @param {Config} config
   * @param {Environment} env where the credentials are (S16)
   * @param {number} idleMs
   */
  constructor(config, env, idleMs) {
    this.#idleMs = idleMs;
    this.connections = new Connections(config);
    const { agent } = this.connections;
    this.#client = new S3Client({
      region: config.region,
      ...(config.endpoint && { endpoint: config.endpoint, forcePathStyle: true }),
      credentials: findCredentials(env),
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_SUPPORTED', // W14
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      ...UNLOOKED,
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: idleMs,
        throwOnRequestTimeout: true,
        [agent instanceof HttpsAgent ? 'httpsAgent' : 'httpAgent']: agent,
      },
    });
  }

  /** @type {Interface['listPage']} */
  async listPage({ bucket, prefix, delimiter, token }, abortSignal) {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      EncodingType: 'url',
    });
    return toPage(await this.#client.send(command, this.#limits(abortSignal)), prefix);
  }

  /** @type {Interface['get']} */
  async get(bucket, key, limitBytes, abortSignal) {
    return (await this.getTagged(bucket, key, limitBytes, abortSignal)).bytes;
  }

  /** @type {Interface['getTagged']} */
  async getTagged(bucket, key, limitBytes, abortSignal) {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    const answer = await this.#client.send(command, this.#limits(abortSignal));
    const stream = /** @type {Readable} */ (answer.Body);
    return { bytes: await collect(stream, limitBytes), etag: answer.ETag };
  }

  /** @type {Interface['put']} */
  async put({ bucket, key, bytes, contentType, ...condition }, abortSignal) {
    const object = { Bucket: bucket, Key: key, Body: bytes, ContentType: contentType };
    const command = new PutObjectCommand({ ...object, ...condition });
    return (await this.#client.send(command, { abortSignal })).ETag;
  }

  /** @type {Interface['copy']} */
  async copy(bucket, fromKey, toKey, abortSignal) {
    const input = { Bucket: bucket, Key: toKey, CopySource: copySource(bucket, fromKey) };
    const answer = await this.#client.send(new CopyObjectCommand(input), this.#limits(abortSignal));
    // E5: the SDK takes any XML for a result.
    if (!answer.CopyObjectResult?.ETag) throw new Error('200 without a result');
  }

  /** @type {Interface['delete']} */
  async delete({ bucket, key, ...condition }, abortSignal) {
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key, ...condition });
    await this.#client.send(command, this.#limits(abortSignal));
  }

  destroy() {
    this.#client.destroy();
  }

  /**
   * A requestTimeout is for an answer to begin. A put has none: its body may take longer.
   * @param {AbortSignal} abortSignal
   */
  #limits(abortSignal) {
    return { abortSignal, requestTimeout: this.#idleMs };
  }
}
