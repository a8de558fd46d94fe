// Step: handler (SPEC.md S14, B, E6, E7, O1): the entry; it wires the other steps.
// The sandbox keeps the settings and the client; all else belongs to one invocation.

import './tuning/heap.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from './attempts.js';
import { Claim } from './claim.js';
import { readConfig } from './config.js';
import {
  AggregationError,
  badSourcesError,
  endIfOutOfMemory,
  internalError,
  sourceCode,
} from './errors.js';
import { inflate } from './inflater.js';
import { Journal } from './journal.js';
import { listSources } from './lister.js';
import { Publisher } from './publisher.js';
import { readSources } from './reader.js';
import { connect } from './s3/connect.js';
import { splitRecords } from './splitter.js';
import { S3Store } from './store.js';
import { parseTrigger } from './trigger.js';
import { Writer } from './writer.js';

/** @import { Config } from './config.js' */
/** @import { Result } from './publisher.js' */
/** @import { Lines } from './splitter.js' */
/** @import { S3Client, Store } from './store.js' */
/** @import { Day } from './trigger.js' */
/**
 * Of Lambda, or of a task, which has a signal that stops the run (K4).
 * @typedef {{awsRequestId: string, getRemainingTimeInMillis: () => number, signal?: AbortSignal}}
 * Context
 */

const STOP_MS = 100;

/**
 * Makes the function of a sandbox.
 * @param {ReturnType<typeof readConfig>} settings
 * @param {(config: Config, run: {journal: Journal, deadline: Deadline}) => Store} openStore
 * @param {(line: string) => void} [write] where the log goes, if not to standard output
 * @returns {(event: unknown, context: Context) => Promise<Result>}
 */
export const createHandler =
  ({ config, bad }, openStore, write) =>
  async (event, context) => {
    const journal = new Journal(config?.logLevel ?? 'INFO', context.awsRequestId, write);
    try {
      if (!config) throw new AggregationError('BAD_SETTINGS', bad);
      const day = parseTrigger(event);
      journal.log('INFO', 'start', { day: day.date, account: day.account, force: day.force });
      const result = await runClaimed({ config, day, journal }, context, openStore);
      journal.end({ error: null, cause: null, result });
      return result;
    } catch (error) {
      endIfOutOfMemory(error);
      const known = error instanceof AggregationError ? error : internalError(error);
      journal.end({ error: known.message, cause: known.cause ?? null, result: null });
      throw known;
    }
  };

/**
 * The run of one day, which works only while it holds the claim (W11 to W13).
 * @param {{config: Config, day: Day, journal: Journal}} job
 * @param {Context} context
 * @param {Parameters<typeof createHandler>[1]} openStore
 */
const runClaimed = async (job, context, openStore) => {
  const remainingMs = context.getRemainingTimeInMillis();
  const deadline = new Deadline(remainingMs);
  context.signal?.addEventListener('abort', () => deadline.stop());
  const open = () => openStore(job.config, { journal: job.journal, deadline });
  const store = open();
  deadline.onLastSecond = () => store.close();
  const run = { ...job, store, requestId: context.awsRequestId, deadline };
  const claim = new Claim(run, Date.now() + remainingMs);
  const work = claim.take().then(() => aggregate(run));
  try {
    // A body fetched ahead may fail long before its turn, and a request that hangs never ends.
    return await Promise.race([work, deadline.passed, store.failed]);
  } finally {
    deadline.end();
    store.close();
    // A run that has lost the race must have stopped before another one may claim the day.
    await Promise.race([work.catch(() => {}), sleep(STOP_MS)]);
    await claim.release(open(), context.getRemainingTimeInMillis() / 2);
  }
};

/**
 * @param {{store: Store, config: Config, day: Day, requestId: string, journal: Journal,
 *   deadline: Deadline}} run
 * @returns {Promise<Result>}
 */
const aggregate = async (run) => {
  const { day, journal, deadline } = run;
  const writer = new Writer(run);
  /** @type {{key: string, code: string}[]} */
  const bad = [];
  for await (const { key, body, error } of readSources(listSources(run), run)) {
    deadline.check();
    try {
      if (!body) throw error;
      await writer.add(decode(body, run));
    } catch (fault) {
      const code = sourceCode(fault);
      if (code === null) throw fault;
      bad.push({ key, code });
      journal.log('WARN', 'bad_source', { key, code });
    }
    deadline.sourcesRead++;
  }
  const chunks = await writer.close();
  const publish = () => new Publisher(run).publish(chunks, deadline.sourcesRead, bad.length);
  const result = await journal.time('publish', publish);
  if (bad.length > 0 && !day.force) throw badSourcesError(result.sources, bad);
  return result;
};

/** @type {(body: Buffer, run: {config: Config, journal: Journal, deadline: Deadline}) => Lines} */
const decode = (body, { config, journal, deadline }) => {
  const startedMs = performance.now();
  try {
    return splitRecords(inflate(body, config.maxSourceBytes), () => deadline.check());
  } finally {
    journal.add('decode', startedMs);
  }
};

const settings = readConfig(process.env);
const client = settings.config && (await connect(settings.config, process.env));

export const handler = createHandler(
  settings,
  (config, run) => new S3Store(/** @type {S3Client} */ (client), config.concurrency, run),
);
