import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { readConfig } from '../src/config.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'eu-west-1' };

test('defaults are those of the table', () => {
  assert.deepEqual(readConfig(ENV).config, {
    srcBucket: 'source',
    srcPrefix: '',
    dstBucket: 'destination',
    dstPrefix: '',
    chunkBytes: 67108864,
    concurrency: 16,
    gzipLevel: 1,
    maxSourceBytes: 134217728,
    logLevel: 'INFO',
    endpoint: '',
    region: 'eu-west-1',
    s3Client: 'sdk',
    caBundle: '',
    httpsProxy: '',
    noProxy: '',
    taskTimeoutS: 3600,
  });
});

test('the first bad setting in the order of the table is reported', () => {
  assert.equal(
    readConfig({ ...ENV, S3_CLIENT: 'x', CHUNK_BYTES: '0', DST_PREFIX: 'x' }).bad,
    'DST_PREFIX',
  );
  assert.equal(readConfig({}).bad, 'SRC_BUCKET');
});

for (const [name, values] of Object.entries({
  SRC_BUCKET: ['', 'Ab', 'ab', '-abc', 'abc\n'],
  SRC_PREFIX: ['a', '/a'],
  CHUNK_BYTES: ['', '0', '+1', '1.0', ' 1', '1\n', '١', '00000000001', '1073741825'],
  CONCURRENCY: ['0', '257'],
  GZIP_LEVEL: ['0', '10'],
  MAX_SOURCE_BYTES: ['0', '536870913'],
  LOG_LEVEL: ['', 'info', 'TRACE'],
  AWS_ENDPOINT_URL_S3: [
    ...[
      'localhost:9000',
      'ftp://host',
      'http://',
      'https:///path',
      'http://host/path',
      'http://host//',
      'HTTP://host',
    ],
    ...[
      'http://host:x',
      'http://host:',
      'http://host:0',
      'http://host:65536',
      'http://host:000001',
      'http://a_b',
    ],
    ...[
      'http://u@host',
      'http://host?q',
      'http://host#f',
      'http://host\n',
      ' http://host',
      'http://::1',
      'http://[g]',
    ],
  ],
  AWS_REGION: ['', 'EU', 'eu west'],
  S3_CLIENT: ['', 'other', 'light\n'],
}))
  test(`${name} refuses what the table does not allow`, () => {
    for (const value of values)
      assert.equal(readConfig({ ...ENV, [name]: value }).bad, name, JSON.stringify(value));
  });

test('what the table allows is taken', () => {
  const env = {
    ...ENV,
    CHUNK_BYTES: '0000000001',
    SRC_PREFIX: 'a\n b+/',
    AWS_ENDPOINT_URL_S3: 'http://[::1]:9000',
  };
  const { config } = readConfig(env);
  assert.equal(config?.chunkBytes, 1);
  assert.equal(config?.srcPrefix, 'a\n b+/');
  assert.equal(config?.endpoint, 'http://[::1]:9000');
  for (const endpoint of [
    'https://a-b.C',
    'https://h/',
    'http://h:1',
    'http://h:65535/',
    'http://[::ffff:1.2.3.4]/',
  ])
    assert.equal(readConfig({ ...ENV, AWS_ENDPOINT_URL_S3: endpoint }).config?.endpoint, endpoint);
  for (const s3Client of ['sdk', 'light'])
    assert.equal(readConfig({ ...ENV, S3_CLIENT: s3Client }).config?.s3Client, s3Client);
  assert.equal(readConfig({ ...ENV, AWS_ENDPOINT_URL_S3: '' }).config?.endpoint, '');
});

test('the default region stands in for an absent one only', () => {
  const { AWS_REGION, ...rest } = ENV;
  assert.equal(readConfig({ ...rest, AWS_DEFAULT_REGION: AWS_REGION }).config?.region, AWS_REGION);
  assert.equal(readConfig({ ...ENV, AWS_REGION: '', AWS_DEFAULT_REGION: 'x' }).bad, 'AWS_REGION');
});

test('output may not become input', () => {
  const env = { ...ENV, DST_BUCKET: 'source', SRC_PREFIX: 'p/' };
  assert.equal(readConfig({ ...env, DST_PREFIX: 'p/AWSLogs/x/' }).bad, 'DST_PREFIX');
  assert.equal(readConfig({ ...env, DST_PREFIX: 'p/AWSLogs-day/' }).bad, null);
  assert.equal(readConfig({ ...env, DST_PREFIX: 'p/AWSLogs/x/', DST_BUCKET: 'other' }).bad, null);
});

test('a bundle of authorities is read, if it begins with a certificate', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  const path = join(folder, 'authorities.pem');
  const [first = '', second] = rootCertificates;
  for (const [pem, bad] of [
    [`# comment\n${first}\n${second}\n`, null],
    [first.replace('M', '?'), 'AWS_CA_BUNDLE'],
    ['', 'AWS_CA_BUNDLE'],
  ]) {
    writeFileSync(path, String(pem));
    const { config, bad: found } = readConfig({ ...ENV, AWS_CA_BUNDLE: path });
    assert.deepEqual([found, config?.caBundle], [bad, bad ? undefined : pem]);
  }
  rmSync(folder, { recursive: true });
  assert.equal(readConfig({ ...ENV, AWS_CA_BUNDLE: path }).bad, 'AWS_CA_BUNDLE');
});
