// Step: store (SPEC.md L4, R1, R3, E4, S16): the narrow door to S3, AWS's SDK behind it.
// The SDK's own retries are off, attempts.js has ours. Holds one body per `get` in flight.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { fromHttp } from '@aws-sdk/credential-provider-http';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { Attempts } from './attempts.js';
import { AggregationError } from './errors.js';

/** @import { Socket } from 'node:net' */
/** @import { Readable } from 'node:stream' */
/** @import { Config, Door } from './types.js' */
/** @import { Journal } from './journal.js' */

const CONNECT_MS = 3_000;
const IDLE_MS = 10_000;

/**
 * E5: an agent whose sockets end when no byte moves: before an answer, in a body, or between requests.
 * The SDK's own socketTimeout is not used, because it starts 3 s late.
 * @template {HttpAgent} A
 * @param {A} agent with `idleMs` as its timeout, which Node sets on new and on free sockets
 * @param {number} idleMs
 * @returns {A}
 */
const limitSilence = (agent, idleMs) => {
  const { createConnection, reuseSocket } = agent;
  agent.createConnection = (...parameters) => {
    const socket = /** @type {Socket} */ (createConnection.apply(agent, parameters));
    return socket.on('timeout', () => socket.destroy(new Error(`no byte for ${idleMs} ms`)));
  };
  agent.reuseSocket = (socket, request) => {
    reuseSocket.call(agent, socket, request);
    // A server's keep-alive hint may have shortened it.
    /** @type {Socket} */ (socket).setTimeout(idleMs);
  };
  return agent;
};

/**
 * Makes the sandbox's one client.
 * @param {Config} config
 * @param {Readonly<Record<string, string | undefined>>} env where S16's credentials are
 * @param {number} [idleMs]
 */
export const connect = (config, env, idleMs = IDLE_MS) => {
  const agentOptions = { keepAlive: true, maxSockets: config.concurrency, timeout: idleMs };
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const sessionToken = env.AWS_SESSION_TOKEN;
  return new S3Client({
    region: config.region,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    credentials:
      accessKeyId && secretAccessKey
        ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
        : // Made on the first request: a sandbox without credentials must still start.
          // An empty string is how fromHttp is told to look for nothing else in the environment.
          async () =>
            fromHttp({
              awsContainerCredentialsFullUri: env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? '',
              awsContainerAuthorizationToken: env.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? '',
              awsContainerCredentialsRelativeUri: '',
              awsContainerAuthorizationTokenFile: '',
            })(),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      httpAgent: limitSilence(new HttpAgent(agentOptions), idleMs),
      httpsAgent: limitSilence(new HttpsAgent(agentOptions), idleMs),
      connectionTimeout: CONNECT_MS,
    }),
  });
};

/** @implements {Door} */
export class Store {
  #client;
  #attempts;

  /**
   * One per invocation.
   * @param {S3Client} client
   * @param {number} concurrency
   * @param {Journal} journal
   */
  constructor(client, concurrency, journal) {
    this.#client = client;
    this.#attempts = new Attempts(concurrency, journal);
  }

  /** @type {Door['failed']} */
  get failed() {
    return this.#attempts.failed;
  }

  close() {
    this.#attempts.close();
  }

  /** @type {Door['listPage']} */
  listPage(bucket, prefix, delimiter, token, onBegin) {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      EncodingType: 'url',
    });
    return this.#attempts.request(
      'list',
      prefix,
      async (abortSignal) => {
        const answer = await this.#client.send(command, { abortSignal });
        if (answer.IsTruncated && !answer.NextContinuationToken) throw new Error('a truncated list without a token');
        const decode = answer.EncodingType === 'url' ? decodeKey : String;
        return {
          objects: (answer.Contents ?? []).map(({ Key = '', Size = 0 }) => ({ key: decode(Key), size: Size })),
          prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => decode(Prefix)),
          nextToken: answer.IsTruncated ? answer.NextContinuationToken : undefined,
        };
      },
      onBegin,
    );
  }

  /** @type {Door['get']} */
  get(bucket, key, limitBytes, onBegin) {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    return this.#attempts.request(
      'get',
      key,
      async (abortSignal) => {
        const { Body, ContentLength } = await this.#client.send(command, { abortSignal }).catch((error) => {
          throw error.name === 'NoSuchKey' ? new AggregationError('MISSING', key) : error;
        });
        /** @type {Buffer[]} */
        const pieces = [];
        let size = 0;
        for await (const piece of /** @type {Readable} */ (Body)) {
          size += piece.length;
          if (size > limitBytes) throw new AggregationError('TOO_LARGE', key);
          pieces.push(piece);
        }
        if (size < (ContentLength ?? 0)) throw new Error(`${size} of ${ContentLength} bytes received`);
        return Buffer.concat(pieces, size);
      },
      onBegin,
    );
  }

  /** @type {Door['put']} */
  put(bucket, key, bytes, contentType, onBegin) {
    const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType });
    return this.#attempts.request(
      'put',
      key,
      async (abortSignal) => {
        await this.#client.send(command, { abortSignal });
      },
      onBegin,
    );
  }

  /** @type {Door['copy']} */
  copy(bucket, fromKey, toKey) {
    const source = [bucket, ...fromKey.split('/')].map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({ Bucket: bucket, Key: toKey, CopySource: source });
    return this.#attempts.request('copy', toKey, async (abortSignal) => {
      await this.#client.send(command, { abortSignal });
    });
  }

  /** @type {Door['delete']} */
  delete(bucket, key) {
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key });
    return this.#attempts.request('delete', key, async (abortSignal) => {
      await this.#client.send(command, { abortSignal });
    });
  }
}

/**
 * The url encoding of listings writes a space as '+'.
 * @param {string} key
 */
const decodeKey = (key) => decodeURIComponent(key.replaceAll('+', ' '));
