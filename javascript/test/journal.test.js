import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../src/journal.js';

/** @param {import('../src/journal.js').LogLevel} level */
const open = (level) => {
  /** @type {string[]} */
  const lines = [];
  return { lines, journal: new Journal(level, 'r', (line) => lines.push(line)) };
};

test('lines have level, event and request id first', () => {
  const { lines, journal } = open('INFO');
  journal.log('WARN', 'retry', { key: 'a\n' });
  assert.deepEqual(lines, ['{"level":"WARN","event":"retry","request_id":"r","key":"a\\n"}\n']);
});

test('lines below the level are left out', () => {
  const { lines, journal } = open('WARN');
  journal.log('DEBUG', 'x', {});
  journal.log('INFO', 'x', {});
  journal.log('ERROR', 'x', {});
  assert.equal(lines.length, 1);
});

test('the end has all phases, those of failed operations too', async () => {
  const { lines, journal } = open('INFO');
  await Promise.all([journal.time('get', async () => {}), journal.time('get', async () => {})]);
  await assert.rejects(journal.time('put', () => Promise.reject(new Error('no'))));
  journal.add('compress', performance.now() - 5, 0);
  await journal.wait(new Promise((resolve) => setTimeout(resolve, 5)));
  journal.end({ error: 'INTERNAL: see the log', cause: 'x', result: null });
  const { phases, wait_ms, ...end } = JSON.parse(lines[0] ?? '');
  const error = 'INTERNAL: see the log';
  assert.deepEqual(end, {
    level: 'ERROR',
    event: 'end',
    request_id: 'r',
    error,
    cause: 'x',
    result: null,
  });
  const counts = Object.entries(phases).map(([name, { count }]) => [name, count]);
  const expected = { list: 0, get: 2, decode: 0, compress: 0, put: 1, publish: 0 };
  assert.deepEqual(counts, Object.entries(expected));
  assert.ok(phases.compress.sum_ms >= 5);
  assert.ok(wait_ms > 0);
});

test('the time of an operation begins when it says so', async () => {
  /** @type {string[]} */
  const lines = [];
  const journal = new Journal('INFO', 'r', (line) => lines.push(line));
  await journal.time('get', async (begin) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    begin();
  });
  journal.end({ error: null, cause: null, result: null });
  const { get } = JSON.parse(lines[0] ?? '').phases;
  assert.equal(get.count, 1);
  assert.ok(get.sum_ms < 400, `${get.sum_ms} ms`);
});
