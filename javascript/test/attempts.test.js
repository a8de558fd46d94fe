import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts, Deadline } from '../src/attempts.js';
import { AggregationError } from '../src/errors.js';
import { Journal } from '../src/journal.js';

/** @param {number} concurrency */
const open = (concurrency) => {
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  return { log, attempts: new Attempts(concurrency, journal) };
};
/** @param {number} status */
const answer = (status) =>
  Object.assign(new Error(`status ${status}`), { $metadata: { httpStatusCode: status } });

test('five attempts, each retry logged', async () => {
  const { log, attempts } = open(1);
  let tries = 0;
  const failing = attempts.request('get', 'k\n', async () => {
    tries++;
    throw answer(503);
  });
  await assert.rejects(failing, { message: 'S3_ERROR: get k\\u000a', cause: 'Error: status 503' });
  await assert.rejects(attempts.failed, { message: 'S3_ERROR: get k\\u000a' });
  await assert.rejects(attempts.failed, { message: 'S3_ERROR: get k\\u000a' });
  assert.equal(tries, 5);
  assert.deepEqual(
    log.map(({ event, operation, key, attempt }) => [event, operation, key, attempt]),
    [
      ['retry', 'get', 'k\n', 1],
      ['retry', 'get', 'k\n', 2],
      ['retry', 'get', 'k\n', 3],
      ['retry', 'get', 'k\n', 4],
    ],
  );
});

test('a 3xx or 4xx answer is final, but for 408, 409 and 429; no other failure is', async () => {
  for (const [status, expected] of [
    [400, 1],
    [301, 1],
    [403, 1],
    [404, 1],
    [408, 2],
    [409, 2],
    [412, 1],
    [429, 2],
    [500, 2],
  ]) {
    let tries = 0;
    const request = open(1).attempts.request('put', 'k', async () => {
      if (++tries === 1) throw answer(status ?? 0);
    });
    await request.catch(() => {});
    assert.equal(tries, expected, `${status}`);
  }
});

test('a 400 passes by itself only if S3 calls it RequestTimeout', async () => {
  for (const [name, expected] of /** @type {const} */ ([
    ['RequestTimeout', 2],
    ['ExpiredToken', 1],
  ])) {
    let tries = 0;
    const request = open(1).attempts.request('put', 'k', async () => {
      if (++tries === 1) throw Object.assign(answer(400), { name });
    });
    await request.catch(() => {});
    assert.equal(tries, expected, name);
  }
});

test('an answer of the contract is no failure', async () => {
  const { log, attempts } = open(1);
  const request = attempts.request('get', 'k', () =>
    Promise.reject(new AggregationError('MISSING', 'k')),
  );
  await assert.rejects(request, { code: 'MISSING' });
  assert.deepEqual(log, []);
});

test('no more than the allowed number is in flight', async () => {
  const { attempts } = open(3);
  let [inFlight, most] = [0, 0];
  const one = async () => {
    most = Math.max(most, ++inFlight);
    await new Promise(setImmediate);
    inFlight--;
  };
  await Promise.all(Array.from({ length: 20 }, () => attempts.request('get', 'k', one)));
  assert.equal(most, 3);
});

test('closing cancels attempts, those that wait and those that back off', async () => {
  const { attempts } = open(1);
  const hanging = attempts.request(
    'get',
    'a',
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  const waiting = attempts.request('get', 'b', async () => {});
  attempts.close();
  await assert.rejects(hanging, { name: 'AbortError' });
  await assert.rejects(waiting, { message: 'the run has ended' });

  const other = open(1).attempts;
  const backingOff = other.request('get', 'c', () => Promise.reject(answer(500)));
  await new Promise((resolve) => setTimeout(resolve, 10));
  other.close();
  await assert.rejects(backingOff, { name: 'AbortError' });
});

test('a request begins once, when its turn has come', async () => {
  const { attempts } = open(1);
  /** @type {string[]} */
  const order = [];
  let tries = 0;
  const first = async () => {
    order.push('first');
    if (++tries === 1) throw answer(500);
  };
  await Promise.all([
    attempts.request('get', 'a', first, () => order.push('begin first')),
    attempts.request(
      'get',
      'b',
      async () => void order.push('second'),
      () => order.push('begin second'),
    ),
  ]);
  assert.deepEqual(order, ['begin first', 'first', 'begin second', 'second', 'first']);
});

test('the deadline passes for a busy thread as well', () => {
  const deadline = new Deadline(10);
  deadline.check();
  const until = performance.now() + 10;
  while (performance.now() < until);
  assert.throws(() => deadline.check(), { message: 'OUT_OF_TIME: 0 sources read' });
  deadline.disarm();
  deadline.check();
  deadline.end();
  assert.throws(() => deadline.check());
});
