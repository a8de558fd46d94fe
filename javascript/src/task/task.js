// The entry of a task: one run outside of Lambda, by `node task/task.mjs EVENT` (SPEC.md K).

import { randomUUID } from 'node:crypto';
import { readConfig } from '../config.js';
import { AggregationError } from '../errors.js';
import { handler } from '../handler.js';

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

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

const { config } = readConfig(process.env);
const endsMs = performance.now() + (config?.taskTimeoutS ?? 0) * 1000; // the run reports a bad one
const context = {
  awsRequestId: randomUUID(),
  getRemainingTimeInMillis: () => endsMs - performance.now(),
  signal: stop.signal,
};

try {
  await handler(parse(process.argv.slice(2).join(' ')), context);
  process.exit(0);
} catch (error) {
  if (!(error instanceof AggregationError)) throw error;
  process.exit(10 + CODES.indexOf(error.code));
}
