import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts, Deadline } from '../src/attempts.js';
import { AggregationError } from '../src/errors.js';
import { Journal } from '../src/journal.js';

/**
 * @param {number} concurrency
 * @param {(pauseMs: number) => boolean} [allows]
 */
const open = (concurrency, allows = () => true) => {
  /** @type {string[]} */
  const seen = [];
  const connections = {
    closeIdle: () => void seen.push('closeIdle'),
    doubt: () => void seen.push('doubt'),
  };
  /** @type {any[]} */
  const log = [];
  const journal = new Journal('INFO', 'r', (line) => log.push(JSON.parse(line)));
  const run = { journal, deadline: { allows } };
  return { log, seen, attempts: new Attempts(concurrency, run, connections) };
};
/**
 * @param {number} httpStatusCode
 * @param {string} [Code]
 */
const answer = (httpStatusCode, Code) =>
  Object.assign(new Error(`status ${httpStatusCode}`), { $metadata: { httpStatusCode }, Code });

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
  for (const [code, expected] of /** @type {const} */ ([
    ['RequestTimeout', 2],
    ['ExpiredToken', 1],
  ])) {
    let tries = 0;
    const request = open(1).attempts.request('put', 'k', async () => {
      if (++tries === 1) throw answer(400, code);
    });
    await request.catch(() => {});
    assert.equal(tries, expected, code);
  }
});

test('the message has the code of the last answer, if S3 gave one', async () => {
  for (const [error, named] of /** @type {const} */ ([
    [answer(403, 'AccessDenied'), ' (AccessDenied)'],
    [answer(403), ''],
    [answer(403, '403'), ''],
    [answer(403, 'a code?'), ''],
  ])) {
    const failing = open(1).attempts.request('get', 'k', () => Promise.reject(error));
    await assert.rejects(failing, { message: `S3_ERROR: get k${named}` });
  }
});

/**
 * Makes each pause a thousandth of its longest.
 * @param {import('node:test').TestContext} t
 */
const shortenPauses = (t) => t.mock.method(Math, 'random', () => -0.998);

test('SlowDown is none of the five attempts, and its pauses are 1, 2 and 4 s', async (t) => {
  shortenPauses(t);
  /** @type {number[]} */
  const pauses = [];
  const note = (/** @type {number} */ pauseMs) => pauses.push(Number(pauseMs.toFixed(1))) > 0;
  const { log, seen, attempts } = open(8, note);
  let tries = 0;
  const request = attempts.request('get', 'k', async () => {
    if (++tries <= 5) throw answer(503, 'SlowDown');
    throw answer(500, 'InternalError');
  });
  await assert.rejects(request, { message: 'S3_ERROR: get k (InternalError)' });
  assert.deepEqual(pauses, [1, 2, 4, 4, 4, 0.1, 0.2, 0.4, 0.8]);
  assert.equal(tries, 10);
  assert.deepEqual(
    log.map(({ attempt }) => attempt),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.equal(seen.includes('doubt'), false);
});

test('SlowDown halves what is in flight, and a request that pauses is not', async (t) => {
  shortenPauses(t);
  const { attempts } = open(4);
  let inFlight = 0;
  /** @type {number[]} how many are in flight as each attempt begins */
  const begun = [];
  const one = async () => {
    const isSlow = begun.push(++inFlight) <= 8;
    await new Promise(setImmediate);
    inFlight--;
    if (isSlow) throw answer(503, 'SlowDown');
  };
  await Promise.all(Array.from({ length: 8 }, () => attempts.request('get', 'k', one)));
  assert.deepEqual(begun.slice(0, 9), [1, 2, 3, 4, 1, 1, 1, 1, 1]);
  assert.ok(Math.max(...begun.slice(9)) > 1);
});

test('SlowDown ends a request whose pause is not allowed any more', async () => {
  const { log, attempts } = open(1, () => false);
  const request = attempts.request('copy', 'k', () => Promise.reject(answer(503, 'SlowDown')));
  await assert.rejects(request, { message: 'S3_ERROR: copy k (SlowDown)' });
  assert.deepEqual(log, []);
});

test('connections are doubted after an attempt without an answer only', async () => {
  const { seen, attempts } = open(1);
  const failures = [new Error('reset'), answer(500), Object.assign(new Error(), { Code: 'X' })];
  await attempts.request('get', 'k', async () => {
    const failure = failures.shift();
    if (failure) throw failure;
  });
  assert.deepEqual(seen, ['closeIdle', 'doubt', 'closeIdle', 'closeIdle', 'closeIdle']);
});

for (const error of [
  new RangeError('Array buffer allocation failed'),
  new RangeError('Invalid string length'),
  Object.assign(new Error('zlib'), { code: 'Z_MEM_ERROR' }),
  Object.assign(new Error('too long'), { code: 'ERR_STRING_TOO_LONG' }),
])
  test(`${error.message} ends the process`, async (t) => {
    const exit = t.mock.method(process, 'exit', () => {
      throw new AggregationError('EXIT', 'ended');
    });
    const request = open(1).attempts.request('get', 'k', () => Promise.reject(error));
    await assert.rejects(request, { code: 'EXIT' });
    assert.deepEqual(exit.mock.calls[0]?.arguments, [1]);
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
  const deadline = new Deadline(500);
  deadline.check();
  const until = performance.now() + 500;
  while (performance.now() < until);
  assert.throws(() => deadline.check(), { message: 'OUT_OF_TIME: 0 sources read' });
  deadline.end();
  assert.throws(() => deadline.check());
});

test('a run publishes whatever the time, but does not begin in the last second', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const deadline = new Deadline(5_000);
  nowMs = 4_000;
  assert.throws(() => deadline.disarm(), { message: 'OUT_OF_TIME: 0 sources read' });
  nowMs = 3_999;
  deadline.disarm();
  nowMs = 4_999;
  deadline.check();
});

test('the deadline keeps a tenth, but 30 s at most and 250 ms for each chunk', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  for (const [seconds, chunks, keptS] of /** @type {const} */ ([
    [100, 0, 10],
    [100, 40, 10],
    [100, 60, 15],
    [900, 0, 30],
    [900, 137, 34.25],
    [4, 16, 4],
  ])) {
    nowMs = 0;
    const deadline = new Deadline(seconds * 1000);
    for (let n = 0; n < chunks; n++) deadline.countChunk();
    nowMs = (seconds - keptS) * 1000 - 1;
    deadline.check();
    nowMs++;
    assert.throws(() => deadline.check(), { code: 'OUT_OF_TIME' });
    deadline.end();
    deadline.countChunk();
    assert.throws(() => deadline.check());
  }
});

test('a chunk that is put brings the end nearer for a request that hangs, too', async () => {
  const deadline = new Deadline(10_100);
  for (let n = 0; n < 40; n++) deadline.countChunk();
  const startedMs = performance.now();
  await assert.rejects(deadline.passed, { code: 'OUT_OF_TIME' });
  assert.ok(performance.now() - startedMs < 5_000);
});

test('a pause must end in time once the run publishes', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => 0);
  const deadline = new Deadline(2000);
  assert.equal(deadline.allows(3000), true);
  deadline.disarm();
  assert.deepEqual([deadline.allows(999), deadline.allows(1000)], [true, false]);
});

test('a request that publishes fails for good when the last second begins', async () => {
  const deadline = new Deadline(1_500);
  const { log, attempts } = open(1, deadline.allows);
  deadline.onLastSecond = attempts.close;
  deadline.disarm();
  /** @type {(signal: AbortSignal) => Promise<void>} */
  const hang = (signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  const one = attempts.request('copy', 'a', hang);
  const other = attempts.request('copy', 'b', hang); // it waits for its turn
  await Promise.all([
    assert.rejects(one, { message: 'S3_ERROR: copy a' }),
    assert.rejects(other, { message: 'S3_ERROR: copy b' }),
  ]);
  await assert.rejects(attempts.failed, { message: 'S3_ERROR: copy a' });
  assert.deepEqual(log, []);
});
