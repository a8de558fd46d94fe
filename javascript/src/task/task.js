// The entry of a task: one run outside of Lambda, by `node task/task.mjs EVENT` (SPEC.md K).

import { randomUUID } from 'node:crypto';
import { readConfig } from '../config.js';
import { AggregationError } from '../errors.js';

/** @type {() => void} K4: what the signal does; before the run begins, it ends the process. */
let stop = () => process.exit(143);
process.on('SIGTERM', () => stop());
// It takes time, in which process 1 would lose the signal.
const { handler } = await import('../handler.js');

/** K3: the codes of E1, from 10 on. */
const CODES = [
  'BAD_SETTINGS',
  'INVALID_EVENT',
  'INVALID_DATE',
  'NO_TRAIL',
  'BAD_MANIFEST',
  'FEWER_SOURCES',
  'BAD_SOURCES',
  'S3_ERROR',
  'OUT_OF_TIME',
  'BUSY',
  'INTERNAL',
];

/** @param {string} text */
const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text; // which is no object (T5)
  }
};

const TIME_IS_OVER = 21; // K2

const { config } = readConfig(process.env);
const limitMs = (config?.taskTimeoutS ?? 0) * 1000; // the run reports a bad one
const endsMs = performance.now() + limitMs;
if (config) setTimeout(() => process.exit(TIME_IS_OVER), limitMs).unref();
const stopped = new AbortController();
const context = {
  awsRequestId: randomUUID(),
  getRemainingTimeInMillis: () => endsMs - performance.now(),
  signal: stopped.signal,
};

try {
  stop = () => stopped.abort();
  await handler(parse(process.argv.slice(2).join(' ')), context);
  process.exit(0);
} catch (error) {
  if (!(error instanceof AggregationError)) throw error;
  process.exit(10 + CODES.indexOf(error.code));
}
