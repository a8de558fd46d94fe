// Step: config (SPEC.md S1 to S15): environment variables become settings. Holds one frozen object per sandbox.
// A bad setting is a value here, not an exception: the initialisation must not fail.

/** @import { Config, LogLevel } from './types.js' */

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^(|.*\/)$/s;
const NUMBER = /^[0-9]{1,10}$/;
const LEVEL = /^(DEBUG|INFO|WARN|ERROR)$/;
const ENDPOINT = /^https?:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?<port>[0-9]{1,5}))?\/?$/;
const CLIENT = /^(sdk|light)$/;
const REGION = /^[a-z0-9-]+$/;

/** @typedef {Readonly<Record<string, string | undefined>>} Environment */

/** @param {string} value */
const isEndpoint = (value) => {
  const port = Number(ENDPOINT.exec(value)?.groups?.port ?? 443);
  return value === '' || (ENDPOINT.test(value) && port >= 1 && port <= 65535);
};

/**
 * @param {Environment} env
 * @param {string} name
 * @param {number} absent
 * @param {number} most
 * @returns {number} NaN when the setting is bad
 */
const readNumber = (env, name, absent, most) => {
  const text = env[name] ?? String(absent);
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return value >= 1 && value <= most ? value : Number.NaN;
};

/**
 * Reads the environment.
 * @param {Environment} env
 * @returns {{config: Config, bad: null} | {config: null, bad: string}} `bad` is the first bad setting's name
 */
export const readConfig = (env) => {
  const srcBucket = env.SRC_BUCKET ?? '';
  const srcPrefix = env.SRC_PREFIX ?? '';
  const dstBucket = env.DST_BUCKET ?? '';
  const dstPrefix = env.DST_PREFIX ?? '';
  const chunkBytes = readNumber(env, 'CHUNK_BYTES', 67108864, 1073741824);
  const concurrency = readNumber(env, 'CONCURRENCY', 16, 256);
  const gzipLevel = readNumber(env, 'GZIP_LEVEL', 1, 9);
  const maxSourceBytes = readNumber(env, 'MAX_SOURCE_BYTES', 134217728, 536870912);
  const logLevel = env.LOG_LEVEL ?? 'INFO';
  const endpoint = env.AWS_ENDPOINT_URL_S3 ?? '';
  const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? '';
  const s3Client = env.S3_CLIENT ?? 'sdk';
  const becomesInput = srcBucket === dstBucket && dstPrefix.startsWith(`${srcPrefix}AWSLogs/`);

  /** @type {[string, boolean][]} S14: in the order of the table */
  const checks = [
    ['SRC_BUCKET', BUCKET.test(srcBucket)],
    ['SRC_PREFIX', PREFIX.test(srcPrefix)],
    ['DST_BUCKET', BUCKET.test(dstBucket)],
    ['DST_PREFIX', PREFIX.test(dstPrefix) && !becomesInput],
    ['CHUNK_BYTES', chunkBytes > 0],
    ['CONCURRENCY', concurrency > 0],
    ['GZIP_LEVEL', gzipLevel > 0],
    ['MAX_SOURCE_BYTES', maxSourceBytes > 0],
    ['LOG_LEVEL', LEVEL.test(logLevel)],
    ['AWS_ENDPOINT_URL_S3', isEndpoint(endpoint)],
    ['AWS_REGION', REGION.test(region)],
    ['S3_CLIENT', CLIENT.test(s3Client)],
  ];
  const bad = checks.find(([, good]) => !good);
  if (bad) return { config: null, bad: bad[0] };
  /** @type {Config} */
  const config = {
    srcBucket,
    srcPrefix,
    dstBucket,
    dstPrefix,
    chunkBytes,
    concurrency,
    gzipLevel,
    maxSourceBytes,
    logLevel: /** @type {LogLevel} */ (logLevel),
    endpoint: endpoint || undefined,
    region,
    s3Client: /** @type {Config['s3Client']} */ (s3Client),
  };
  return { config: Object.freeze(config), bad: null };
};
