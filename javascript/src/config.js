// Step: config (SPEC.md S1 to S15, S17 to S19, S22): environment variables become settings.
// A bad setting is a value here, not an exception, because the initialisation must not fail (S14).

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** @import { LogLevel } from './journal.js' */

/**
 * The settings of SPEC.md's table, in its order.
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
 * @property {string} endpoint empty when AWS's own is meant
 * @property {string} region
 * @property {'sdk' | 'light'} s3Client
 * @property {string | null} caBundle the certificates in PEM; null when there is none in the file
 * @property {string} httpsProxy
 * @property {string} noProxy
 * @property {number} taskTimeoutS
 */

/** @typedef {Readonly<Record<string, string | undefined>>} Environment */

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^(|.*\/)$/s;
const NUMBER = /^[0-9]{1,10}$/;
const LEVEL = /^(DEBUG|INFO|WARN|ERROR)$/;
const ADDRESS =
  /^(?<scheme>https?):\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?<port>[0-9]{1,5}))?\/?$/;
const REGION = /^[a-z0-9-]+$/;
const CLIENT = /^(sdk|light)$/;

/**
 * Reads the environment.
 * @param {Environment} env
 * @returns {{config: Config, bad: null} | {config: null, bad: string}} `bad` names the first bad
 * setting
 */
export const readConfig = (env) => {
  const config = {
    srcBucket: env.SRC_BUCKET ?? '',
    srcPrefix: env.SRC_PREFIX ?? '',
    dstBucket: env.DST_BUCKET ?? '',
    dstPrefix: env.DST_PREFIX ?? '',
    chunkBytes: readNumber(env, 'CHUNK_BYTES', 67108864, 1073741824),
    concurrency: readNumber(env, 'CONCURRENCY', 16, 256),
    gzipLevel: readNumber(env, 'GZIP_LEVEL', 1, 9),
    maxSourceBytes: readNumber(env, 'MAX_SOURCE_BYTES', 134217728, 536870912),
    logLevel: /** @type {LogLevel} */ (env.LOG_LEVEL ?? 'INFO'),
    endpoint: env.AWS_ENDPOINT_URL_S3 ?? '',
    region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? '',
    s3Client: /** @type {Config['s3Client']} */ (env.S3_CLIENT ?? 'sdk'),
    caBundle: readBundle(env.AWS_CA_BUNDLE ?? ''),
    httpsProxy: env.HTTPS_PROXY ?? '',
    noProxy: env.NO_PROXY ?? '',
    taskTimeoutS: readNumber(env, 'TASK_TIMEOUT', 3600, 172800),
  };
  const bad = firstBad(config);
  return bad === null ? { config: Object.freeze(config), bad } : { config: null, bad };
};

/**
 * @param {Environment} env
 * @param {string} name
 * @param {number} absent the default
 * @param {number} most
 * @returns {number} NaN when the setting is bad
 */
const readNumber = (env, name, absent, most) => {
  const text = env[name] ?? String(absent);
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return value >= 1 && value <= most ? value : Number.NaN;
};

/**
 * S17.
 * @param {string} path may be empty
 */
const readBundle = (path) => {
  if (path === '') return '';
  try {
    const pem = readFileSync(path, 'utf8');
    return new X509Certificate(pem) && pem;
  } catch {
    return null;
  }
};

/** @param {Config} config */
const firstBad = (config) => {
  const { srcBucket, srcPrefix, dstBucket, dstPrefix } = config;
  const becomesInput = srcBucket === dstBucket && dstPrefix.startsWith(`${srcPrefix}AWSLogs/`);
  /** @type {[string, boolean][]} */
  const checks = [
    ['SRC_BUCKET', BUCKET.test(srcBucket)],
    ['SRC_PREFIX', PREFIX.test(srcPrefix)],
    ['DST_BUCKET', BUCKET.test(dstBucket)],
    ['DST_PREFIX', PREFIX.test(dstPrefix) && !becomesInput],
    ['CHUNK_BYTES', config.chunkBytes > 0],
    ['CONCURRENCY', config.concurrency > 0],
    ['GZIP_LEVEL', config.gzipLevel > 0],
    ['MAX_SOURCE_BYTES', config.maxSourceBytes > 0],
    ['LOG_LEVEL', LEVEL.test(config.logLevel)],
    ['AWS_ENDPOINT_URL_S3', isAddress(config.endpoint, 'http', 'https')],
    ['AWS_REGION', REGION.test(config.region)],
    ['S3_CLIENT', CLIENT.test(config.s3Client)],
    ['AWS_CA_BUNDLE', config.caBundle !== null],
    ['HTTPS_PROXY', isAddress(config.httpsProxy, 'http')],
    ['TASK_TIMEOUT', config.taskTimeoutS > 0],
  ];
  return checks.find(([, good]) => !good)?.[0] ?? null;
};

/**
 * @param {string} value
 * @param {string[]} schemes
 */
const isAddress = (value, ...schemes) => {
  const { scheme = '', port = '443' } = ADDRESS.exec(value)?.groups ?? {};
  return value === '' || (schemes.includes(scheme) && Number(port) >= 1 && Number(port) <= 65535);
};
