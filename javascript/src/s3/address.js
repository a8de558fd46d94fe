// Where the buckets are, and which of their hosts need no proxy (SPEC.md S10, S19, S20).

import { urlToHttpOptions } from 'node:url';

/** @import { Config } from '../config.js' */

/** Node's URL refuses some hosts that S10 allows. */
const HOST = /^https?:\/\/(.*?)(:[0-9]+)?\/?$/;

/**
 * Of the partitions that have another one than AWS's first, by the beginning of their regions.
 * @type {Record<string, string>}
 */
const SUFFIXES = { cn: 'amazonaws.com.cn', eusc: 'amazonaws.eu' };

/**
 * AWS's certificates are for bucket names without a dot.
 * @type {(config: Config, bucket: string) => {endpoint: string, folder: string}}
 */
const locate = ({ endpoint, region }, bucket) => {
  if (endpoint) return { endpoint, folder: `/${bucket}` };
  const suffix = SUFFIXES[region.replace(/-.*/, '')] ?? 'amazonaws.com';
  const regional = `s3.${region}.${suffix}`;
  return bucket.includes('.')
    ? { endpoint: `https://${regional}`, folder: `/${bucket}` }
    : { endpoint: `https://${bucket}.${regional}`, folder: '' };
};

/**
 * @param {Config} config
 * @param {string} bucket
 * @throws {TypeError} for a host that can't be
 */
export const addressOf = (config, bucket) => {
  const { endpoint, folder } = locate(config, bucket);
  const url = new URL(endpoint);
  const { protocol, host, port } = url;
  return { protocol, host, hostname: String(urlToHttpOptions(url).hostname), port, folder };
};

/**
 * S20, of the hosts that a run asks.
 * @param {Config} config
 */
export const hostsWithoutProxy = (config) => {
  const names = config.noProxy
    .toLowerCase()
    .replace(/\s/g, '')
    .split(',')
    .map((name) => name.replace(/^\*?\./, ''))
    .filter((name) => name !== '');
  const needsNone = (/** @type {string} */ host) =>
    names.some((name) => name === '*' || host === name || host.endsWith(`.${name}`));
  return [config.srcBucket, config.dstBucket]
    .map((bucket) => locate(config, bucket).endpoint.toLowerCase().replace(HOST, '$1'))
    .filter(needsNone);
};
