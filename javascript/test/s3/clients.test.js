// Both clients against a server that shows what arrives and answers as told.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Agent } from 'node:https';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { readConfig } from '../../src/config.js';
import { Journal } from '../../src/journal.js';
import { connect } from '../../src/s3/connect.js';
import { createSigner } from '../../src/s3/signer.js';
import { S3Store } from '../../src/store.js';

const ENV = { SRC_BUCKET: 'source', DST_BUCKET: 'destination', AWS_REGION: 'eu-west-1' };
/** @type {('sdk' | 'light')[]} */
const CLIENTS = ['sdk', 'light'];
const DEADLINE = { allows: () => true };
const KEYS = {
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'token',
};

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { S3Client } from '../../src/store.js' */

/**
 * How a test opens a server and a store that speaks to it.
 * @typedef {(
 *   t: import('node:test').TestContext,
 *   answer: (request: IncomingMessage, response: ServerResponse) => void,
 *   environment?: (port: number) => Record<string, string>,
 *   idleMs?: number,
 * ) => Promise<{store: S3Store, client: S3Client, requests: IncomingMessage[],
 *   log: any[]}>} Open the environment
 *   holds the credentials
 */

/** @type {(s3Client: 'sdk' | 'light') => Open} */
const openWith =
  (s3Client) =>
  async (t, answer, environment = () => KEYS, idleMs = 10_000) => {
    /** @type {IncomingMessage[]} */
    const requests = [];
    const server = createServer((request, response) => {
      requests.push(request);
      request.resume().on('end', () => answer(request, response));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close().closeAllConnections());
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const { config } = readConfig({
      ...ENV,
      S3_CLIENT: s3Client,
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    });
    assert.ok(config);
    const client = await connect(config, environment(port), idleMs);
    /** @type {any[]} */
    const log = [];
    const store = new S3Store(client, 4, {
      journal: new Journal('INFO', 'r', (line) => log.push(JSON.parse(line))),
      deadline: DEADLINE,
    });
    t.after(() => {
      store.close();
      client.destroy();
    });
    return { store, client, requests, log };
  };

/**
 * Sets variables of this process until the test's end.
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} variables
 */
const setVariables = (t, variables) => {
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
};

/** @param {ServerResponse} response @param {number} status @param {string} code */
const fail = (response, status, code) => {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>m</Message></Error>`);
};

/** @param {number} length */
const objectOf = (length) => ({
  bucket: 'bucket',
  key: 'k',
  bytes: Buffer.alloc(length),
  contentType: 'application/gzip',
});

/** @type {Record<string, (store: S3Store) => Promise<unknown>>} */
const OPERATIONS = {
  list: (store) => store.listPage({ bucket: 'bucket', prefix: 'k' }),
  get: (store) => store.get('bucket', 'k', 1000),
  put: (store) => store.put(objectOf(1_000_000)),
  copy: (store) => store.copy('bucket', 'from', 'k'),
  delete: (store) => store.delete({ bucket: 'bucket', key: 'k' }),
};

for (const s3Client of CLIENTS) {
  const open = openWith(s3Client);

  for (const key of [
    'a b+c%2F',
    'a?b#c',
    '/leading//double',
    'a/../b/./c',
    'é\u{1f600}\u0001\n',
    "!'()*~",
  ])
    test(`${s3Client}: the key ${JSON.stringify(key)} arrives as it is`, async (t) => {
      const { store, requests } = await open(t, (_, response) => response.end('body'));
      await store.get('bucket', key, 10);
      assert.equal(decodeURIComponent(requests[0]?.url?.split('?')[0] ?? ''), `/bucket/${key}`);
      assert.match(
        requests[0]?.headers.authorization ?? '',
        /Credential=id\/.*x-amz-security-token/,
      );
    });

  test(`${s3Client}: without keys in the environment, the full URI is asked`, async (t) => {
    const others = {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/nonexistent',
    };
    setVariables(t, others);
    const keys = {
      AccessKeyId: 'given',
      SecretAccessKey: 's',
      Token: 't',
      Expiration: '2999-01-01T00:00:00Z',
    };
    const { store, requests } = await open(
      t,
      (request, response) => response.end(request.url === '/keys' ? JSON.stringify(keys) : 'body'),
      (port) => ({
        ...others,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/keys`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Bearer x',
      }),
    );
    await store.get('bucket', 'k', 10);
    await store.get('bucket', 'k', 10);
    assert.deepEqual(
      requests.map(({ headers }) => headers.authorization?.replace(/\/.*/, '')),
      ['Bearer x', 'AWS4-HMAC-SHA256 Credential=given', 'AWS4-HMAC-SHA256 Credential=given'],
    );
  });

  test(`${s3Client}: conditions and ETags are passed on`, async (t) => {
    const { store, requests } = await open(t, (_, response) =>
      response.writeHead(200, { etag: '"e"' }).end(),
    );
    const request = objectOf(2);
    assert.equal(await store.putIf({ ...request, IfNoneMatch: '*' }), '"e"');
    assert.equal(await store.putIf({ ...request, IfMatch: '"f"' }), '"e"');
    assert.equal((await store.getTagged('bucket', 'k', 9)).etag, '"e"');
    await store.delete({ bucket: 'bucket', key: 'k', IfMatch: '"g"' });
    await store.delete({ bucket: 'bucket', key: 'k' });
    assert.deepEqual(
      requests.map(({ method, headers }) => [
        method,
        headers['if-none-match'],
        headers['if-match'],
      ]),
      [
        ['PUT', '*', undefined],
        ['PUT', undefined, '"f"'],
        ['GET', undefined, undefined],
        ['DELETE', undefined, '"g"'],
        ['DELETE', undefined, undefined],
      ],
    );
  });

  test(`${s3Client}: only a claim needs an ETag in the answer`, async (t) => {
    let tries = 0;
    const { store, log } = await open(t, (_, response) =>
      response.writeHead(200, ++tries % 2 === 0 ? { etag: '"e"' } : {}).end(),
    );
    assert.equal(await store.putIf({ ...objectOf(2), IfNoneMatch: '*' }), '"e"');
    assert.equal((await store.getTagged('bucket', 'k', 9)).etag, '"e"');
    assert.equal(log.length, 2);
    tries = 0;
    await store.get('bucket', 'k', 9);
    tries = 0;
    await store.put(objectOf(2));
    assert.equal(log.length, 2);
  });

  test(`${s3Client}: a copy names its source encoded`, async (t) => {
    const { store, requests } = await open(t, (_, response) =>
      response.end('<CopyObjectResult><ETag>e</ETag></CopyObjectResult>'),
    );
    await store.copy('bucket', 'a+b/é //%', 'to');
    assert.equal(requests[0]?.headers['x-amz-copy-source'], 'bucket/a%2Bb/%C3%A9%20//%25');
    assert.equal(requests[0]?.headers['content-length'], '0');
    assert.equal(requests[0]?.headers['transfer-encoding'], undefined);
  });

  test(`${s3Client}: a copy that fails behind its 200 is tried again`, async (t) => {
    let tries = 0;
    const { store } = await open(t, (_, response) =>
      response.end(
        ++tries === 1
          ? '<Error><Code>InternalError</Code></Error>'
          : '<CopyObjectResult><ETag>e</ETag></CopyObjectResult>',
      ),
    );
    await store.copy('bucket', 'from', 'to');
    assert.equal(tries, 2);
  });

  test(`${s3Client}: another XML behind a 200 is no result`, async (t) => {
    let tries = 0;
    const { store } = await open(t, ({ method }, response) => {
      if (++tries % 2 === 1) response.end('<Other/>');
      else if (method === 'PUT')
        response.end('<CopyObjectResult><ETag>e</ETag></CopyObjectResult>');
      else response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
    });
    assert.deepEqual(
      (await store.listPage({ bucket: 'bucket', prefix: 'p/', delimiter: '/' })).objects,
      [],
    );
    assert.equal(tries, 2);
    await store.copy('bucket', 'from', 'to');
    assert.equal(tries, 4);
  });

  test(`${s3Client}: pages are decoded`, async (t) => {
    const { store, requests } = await open(t, (_, response) =>
      response.end(
        '<ListBucketResult><IsTruncated>true</IsTruncated>' +
          '<NextContinuationToken>t+/=</NextContinuationToken><EncodingType>url</EncodingType>' +
          '<Contents><Key>p/a+b%2B%01%C3%A9</Key><Size>7</Size></Contents>' +
          '<CommonPrefixes><Prefix>p/%E3%81%82+/</Prefix></CommonPrefixes></ListBucketResult>',
      ),
    );
    assert.deepEqual(
      await store.listPage({ bucket: 'bucket', prefix: 'p/', delimiter: '/', token: 'u+/=' }),
      {
        objects: [{ key: 'p/a b+\u0001é', size: 7 }],
        prefixes: ['p/あ /'],
        nextToken: 't+/=',
      },
    );
    const query = new URL(`http://x${requests[0]?.url}`).searchParams;
    assert.equal(query.get('continuation-token'), 'u+/=');
    assert.equal(query.get('encoding-type'), 'url');
  });

  test(`${s3Client}: a body is taken as stored, whatever its encoding says`, async (t) => {
    const body = gzipSync('x');
    const { store } = await open(t, (_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(body),
    );
    assert.deepEqual(await store.get('bucket', 'k', 1000), body);
  });

  test(`${s3Client}: a missing key is told from all other failures`, async (t) => {
    const { store, requests } = await open(t, (request, response) =>
      fail(
        response,
        request.url?.includes('none') ? 404 : 403,
        request.url?.includes('none') ? 'NoSuchKey' : 'AccessDenied',
      ),
    );
    await assert.rejects(store.get('bucket', 'none', 10), { code: 'MISSING' });
    await assert.rejects(store.get('bucket', 'secret', 10), {
      message: 'S3_ERROR: get secret (AccessDenied)',
    });
    assert.equal(requests.length, 2);
  });

  test(`${s3Client}: a missing bucket is no missing key`, async (t) => {
    const { store } = await open(t, (_, response) => fail(response, 404, 'NoSuchBucket'));
    const message = 'S3_ERROR: get k (NoSuchBucket)';
    await assert.rejects(store.get('bucket', 'k', 10), { message });
  });

  test(`${s3Client}: a body above the limit is too large`, async (t) => {
    const { store } = await open(t, (_, response) => response.end('12345'));
    assert.equal((await store.get('bucket', 'k', 5)).length, 5);
    await assert.rejects(store.get('bucket', 'k', 4), { code: 'TOO_LARGE' });
  });

  test(`${s3Client}: a short body and a reset are tried again`, async (t) => {
    let tries = 0;
    const { store, log } = await open(t, (request, response) => {
      if (++tries === 1)
        response
          .writeHead(200, { 'content-length': 10 })
          .write('half', () => request.socket.destroy());
      else if (tries === 2) request.socket.destroy();
      else response.end('whole body');
    });
    assert.equal(String(await store.get('bucket', 'k', 10)), 'whole body');
    assert.deepEqual(
      log.map(({ event }) => event),
      ['retry', 'retry'],
    );
  });

  test(`${s3Client}: closing ends a request that hangs in its body`, async (t) => {
    const { store } = await open(t, (_, response) =>
      response.writeHead(200, { 'content-length': 10 }).write('half'),
    );
    const pending = store.get('bucket', 'k', 10);
    setTimeout(() => store.close(), 50);
    const startedMs = performance.now();
    await assert.rejects(pending);
    assert.ok(
      performance.now() - startedMs < 5_000,
      'ended by the limit of silence, not by closing',
    );
  });

  test(`${s3Client}: a put sends the bytes with their type and no encoding`, async (t) => {
    const { store, requests } = await open(t, (_, response) => response.end());
    await store.put(objectOf(3_000_000));
    const { headers, method } = /** @type {IncomingMessage} */ (requests[0]);
    assert.equal(method, 'PUT');
    assert.equal(headers['content-type'], 'application/gzip');
    assert.equal(headers['content-length'], '3000000');
    assert.equal(headers['content-encoding'], undefined);
    assert.equal(headers.expect, undefined);
  });

  for (const [operation, run] of Object.entries(OPERATIONS))
    test(`${s3Client}: ${operation}: silence fails an attempt, slowness does not`, async (t) => {
      const bodies = {
        list: '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>',
        get: 'some body',
        copy: '<CopyObjectResult><ETag>e</ETag></CopyObjectResult>',
      };
      const body = bodies[/** @type {'list'} */ (operation)] ?? '';
      /** @type {number[]} */
      const arrivedMs = [];
      const idleMs = 600;
      const { store, log } = await open(
        t,
        async (_, response) => {
          const tries = arrivedMs.push(performance.now());
          if (tries === 1) return;
          // An empty answer has no middle but its header.
          if (tries === 2 && !body) return void response.socket?.write('HTTP/1.1 200 OK\r\n');
          if (body)
            response.writeHead(200, { 'content-length': body.length }).write(body.slice(0, 3));
          if (tries === 2) return;
          // longer than the limit as a whole, never silent for as long
          for (const letter of body.slice(3, 8)) {
            await new Promise((resolve) => setTimeout(resolve, idleMs / 4));
            response.write(letter);
          }
          response.end(body.slice(8));
        },
        undefined,
        idleMs,
      );
      await run(store);
      assert.deepEqual(
        log.map(({ event }) => event),
        ['retry', 'retry'],
      );
      const [first = 0, second = 0, third = 0] = arrivedMs;
      for (const elapsedMs of [second - first, third - second])
        assert.ok(elapsedMs > idleMs / 2 && elapsedMs < 10 * idleMs, `${elapsedMs} ms`);
    });

  test(`${s3Client}: silence on a kept connection fails an attempt, too`, async (t) => {
    /** @type {Set<unknown>} */
    const sockets = new Set();
    let tries = 0;
    const { store, log } = await open(
      t,
      ({ socket }, response) => {
        sockets.add(socket);
        if (++tries !== 2) response.end('body');
      },
      undefined,
      300,
    );
    await store.get('bucket', 'k', 10);
    await store.get('bucket', 'k', 10);
    assert.deepEqual([log.length, tries, sockets.size], [1, 3, 2]);
  });

  test(`${s3Client}: no connection serves that has been idle for 5 s or is doubted`, async (t) => {
    /** @type {Set<unknown>} */
    const sockets = new Set();
    const { store, client } = await open(t, ({ socket }, response) => {
      sockets.add(socket);
      response.end('body');
    });
    let laterMs = 0;
    const now = performance.now.bind(performance);
    t.mock.method(performance, 'now', () => now() + laterMs);
    /** @type {[number, boolean, number][]} */
    const steps = [
      [0, false, 1],
      [4_000, false, 1],
      [5_001, false, 2],
      [0, true, 3],
      [0, false, 3],
    ];
    for (const [idleMs, isDoubted, expected] of steps) {
      laterMs += idleMs;
      if (isDoubted) client.connections.doubt();
      await store.get('bucket', 'k', 10);
      await new Promise(setImmediate);
      assert.equal(sockets.size, expected, `idle for ${idleMs} ms`);
    }
  });

  test(`${s3Client}: a connection in use that is doubted serves no other request`, async (t) => {
    /** @type {Set<unknown>} */
    const sockets = new Set();
    const { store, client } = await open(t, ({ socket }, response) => {
      if (sockets.size === 0) client.connections.doubt();
      sockets.add(socket);
      response.end('body');
    });
    await store.get('bucket', 'k', 10);
    await store.get('bucket', 'k', 10);
    assert.equal(sockets.size, 2);
  });

  test(`${s3Client}: a put has a checksum, and other variables change nothing`, async (t) => {
    const others = {
      AWS_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
      AWS_MAX_ATTEMPTS: '9',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_SDK_UA_APP_ID: 'changed',
    };
    setVariables(t, others);
    const { store, requests } = await open(t, (_, response) => response.end());
    await store.put({ ...objectOf(0), bytes: Buffer.from('123456789') });
    assert.equal(requests[0]?.headers['x-amz-checksum-crc32'], 'y/Q5Jg==');
    assert.doesNotMatch(requests[0]?.headers['user-agent'] ?? '', /changed/);
  });

  // S3 names the right region in these answers, and the SDK could follow them.
  for (const [status, code, attempts] of /** @type {[number, string, number][]} */ ([
    [301, 'PermanentRedirect', 1],
    [307, 'TemporaryRedirect', 1],
    [400, 'AuthorizationHeaderMalformed', 1],
  ]))
    test(`${s3Client}: ${code} is a failed attempt and is not followed`, async (t) => {
      const { store, requests } = await open(t, (request, response) => {
        const location = `http://${request.headers.host}/elsewhere`;
        response.writeHead(status, { location, 'x-amz-bucket-region': 'us-west-2' });
        response.end(
          `<Error><Code>${code}</Code><Message>m</Message><Region>us-west-2</Region></Error>`,
        );
      });
      await Promise.all(
        Object.entries(OPERATIONS).map(([operation, run]) =>
          assert.rejects(run(store), { message: `S3_ERROR: ${operation} k (${code})` }),
        ),
      );
      const asked = Object.groupBy(
        requests,
        ({ method, url, headers }) => `${method} ${url} ${headers['x-amz-copy-source']}`,
      );
      assert.deepEqual(
        Object.values(asked).map((same) => same?.length),
        Object.keys(OPERATIONS).map(() => attempts),
      );
    });

  // S10's pattern allows them. None needs a name to be looked up.
  for (const endpoint of [
    'http://[:::]',
    'http://[::1]:1',
    'http://[1.2.3.4]',
    'http://1.2.3.4.5',
    'http://256.1.1.1',
  ])
    test(`${s3Client}: ${endpoint}, where nothing can be, fails a request only`, async (t) => {
      const { config } = readConfig({ ...ENV, S3_CLIENT: s3Client, AWS_ENDPOINT_URL_S3: endpoint });
      assert.ok(config);
      const client = await connect(config, KEYS);
      /** @type {any[]} */
      const log = [];
      const store = new S3Store(client, 4, {
        journal: new Journal('INFO', 'r', (line) => log.push(JSON.parse(line))),
        deadline: DEADLINE,
      });
      t.after(() => client.destroy());
      await assert.rejects(store.listPage({ bucket: 'bucket', prefix: 'AWSLogs/' }), {
        message: 'S3_ERROR: list AWSLogs/',
      });
      assert.equal(log.length, 4);
    });

  for (const [region, bucket, host] of /** @type {const} */ ([
    ['eu-central-1', 'bucket', 'bucket.s3.eu-central-1.amazonaws.com'],
    ['us-gov-west-1', 'bucket', 'bucket.s3.us-gov-west-1.amazonaws.com'],
    ['eusc-de-east-1', 'bucket', 'bucket.s3.eusc-de-east-1.amazonaws.eu'],
    ['cn-north-1', 'bucket', 'bucket.s3.cn-north-1.amazonaws.com.cn'],
    ['cn-north-1', 'buck.et', 's3.cn-north-1.amazonaws.com.cn'],
  ]))
    test(`${s3Client}: ${bucket} in ${region} is at ${host}`, async (t) => {
      const others = {
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
        AWS_USE_FIPS_ENDPOINT: 'true',
        AWS_USE_DUALSTACK_ENDPOINT: 'true',
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
      };
      setVariables(t, others);
      const connections = t.mock.method(Agent.prototype, 'createConnection', () =>
        new Socket().destroy(new Error('no network here')),
      );
      const { config } = readConfig({ ...ENV, S3_CLIENT: s3Client, AWS_REGION: region });
      assert.ok(config);
      const client = await connect(config, KEYS);
      t.after(() => client.destroy());
      await assert.rejects(client.get(bucket, 'k', 10, new AbortController().signal), {
        message: 'no network here',
      });
      const [options] = /** @type {any[]} */ (
        connections.mock.calls.flatMap((call) => call.arguments)
      );
      assert.deepEqual(
        [options.host, Number(options.port), options.rejectUnauthorized ?? true],
        [host, 443, true],
      );
    });

  test(`${s3Client}: only the client in use is loaded`, async () => {
    const tell = `import { registerHooks } from 'node:module';
      registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(tell)}`, 'src/handler.js'],
      { cwd: `${import.meta.dirname}/../..`, env: { ...ENV, ...KEYS, S3_CLIENT: s3Client } },
    );
    const loaded = {
      sdk: /\/@aws-sdk\/client-s3\//.test(stdout),
      light: /\/src\/s3\/light-client\.js/.test(stdout),
    };
    assert.deepEqual(loaded, { sdk: s3Client === 'sdk', light: s3Client === 'light' });
    assert.doesNotMatch(stdout, /credential-provider-http/);
  });
}

// The examples of AWS's documentation of signature version 4 for S3.
for (const [path, query, headers, signature] of /** @type {const} */ ([
  [
    '/test.txt',
    {},
    { range: 'bytes=0-9' },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    '/',
    { 'max-keys': '2', prefix: 'J' },
    {},
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
]))
  test(`light: GET ${path} is signed as AWS says`, async () => {
    const host = 'examplebucket.s3.amazonaws.com';
    const signer = createSigner('us-east-1', {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    });
    const signed = await signer.sign(
      {
        method: 'GET',
        protocol: 'https:',
        hostname: host,
        path,
        query,
        headers: { host, ...headers },
      },
      { signingDate: new Date('2013-05-24T00:00:00Z') },
    );
    assert.match(signed.headers.authorization ?? '', new RegExp(`Signature=${signature}$`));
  });

test('light: a page has at most 16 MiB', async (t) => {
  const page = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';
  const most = 16 * 1024 * 1024;
  let length = most + 1;
  const { store, log } = await openWith('light')(t, (_, response) =>
    response.end(page + ' '.repeat(length-- - page.length)),
  );
  await store.listPage({ bucket: 'bucket', prefix: '' });
  assert.deepEqual(
    log.map(({ cause }) => cause),
    [`Error: an answer of more than ${most} bytes`],
  );
});

test('light: what is not an answer of S3 fails an attempt', async (t) => {
  let tries = 0;
  const { store, log } = await openWith('light')(t, (_, response) => {
    if (++tries === 1) response.end('<html></html>');
    else if (tries === 2) response.end('<ListBucketResult>');
    else if (tries === 3) response.writeHead(502).end('Bad Gateway');
    else
      response.end(
        '<ListBucketResult><IsTruncated>false</IsTruncated>' +
          '<Contents><Key>k</Key><Size>0</Size></Contents></ListBucketResult>',
      );
  });
  assert.deepEqual((await store.listPage({ bucket: 'bucket', prefix: '' })).objects, [
    { key: 'k', size: 0 },
  ]);
  assert.equal(log.length, 3);
});
