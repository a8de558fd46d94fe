import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config.js';
import { addressOf, hostsWithoutProxy } from '../../src/s3/address.js';
import { Connections } from '../../src/s3/connections.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'eu-west-1' };
const SOURCE = 'source.s3.eu-west-1.amazonaws.com';
const DESTINATION = 'destination.s3.eu-west-1.amazonaws.com';

/** @param {Record<string, string>} env */
const configOf = (env) => {
  const { config } = readConfig({ ...ENV, ...env });
  assert.ok(config);
  return config;
};

test('a bucket is below its endpoint, or has a host of its own at AWS', () => {
  assert.deepEqual(addressOf(configOf({ AWS_ENDPOINT_URL_S3: 'http://[::1]:9000/' }), 'b'), {
    protocol: 'http:',
    host: '[::1]:9000',
    hostname: '::1',
    port: '9000',
    folder: '/b',
  });
  assert.equal(addressOf(configOf({}), 'source').host, SOURCE);
});

for (const [noProxy, expected] of /** @type {const} */ ([
  ['', []],
  [',, .,*.', []],
  ['*', [SOURCE, DESTINATION]],
  ['other.example, *', [SOURCE, DESTINATION]],
  ['amazonaws.com', [SOURCE, DESTINATION]],
  ['.amazonaws.com', [SOURCE, DESTINATION]],
  ['*.Amazon AWS.com', [SOURCE, DESTINATION]],
  ['aws.com', []],
  ['*amazonaws.com', []],
  ['..amazonaws.com', []],
  [`${SOURCE}:443`, []],
  [` ${SOURCE.toUpperCase()} `, [SOURCE]],
  [`x.${SOURCE},s3.eu-west-1.amazonaws.com.`, []],
]))
  test(`NO_PROXY ${JSON.stringify(noProxy)}`, () => {
    assert.deepEqual(hostsWithoutProxy(configOf({ NO_PROXY: noProxy })), expected);
  });

test('NO_PROXY sees the host of an endpoint without its port', () => {
  for (const [endpoint, name] of /** @type {const} */ ([
    ['https://LocalHost:9/', 'localhost'],
    ['https://[::1]:9', '[::1]'],
    ['https://10.0.0.1', '10.0.0.1'],
  ])) {
    const env = { AWS_ENDPOINT_URL_S3: endpoint, NO_PROXY: name };
    assert.deepEqual(hostsWithoutProxy(configOf(env)), [name, name]);
    const range = { AWS_ENDPOINT_URL_S3: endpoint, NO_PROXY: '10.0.0.0-10.0.0.9' };
    assert.deepEqual(hostsWithoutProxy(configOf(range)), []);
  }
});

test('the proxy is for TLS, and Node gets it from the settings only', () => {
  const others = { https_proxy: 'http://other:1', HTTP_PROXY: 'http://other:2', no_proxy: '*' };
  const proxy = { ...others, HTTPS_PROXY: 'http://proxy:3', NO_PROXY: SOURCE };
  const optionsOf = (/** @type {Record<string, string>} */ env) =>
    /** @type {any} */ (new Connections(configOf(env)).agent).options;
  const options = optionsOf(proxy);
  assert.deepEqual(options.proxyEnv, { HTTPS_PROXY: 'http://proxy:3', NO_PROXY: SOURCE });
  assert.equal(options.rejectUnauthorized, true);
  for (const env of [others, { ...proxy, AWS_ENDPOINT_URL_S3: 'http://localhost' }])
    assert.equal(optionsOf(env).proxyEnv, undefined);
});
