// Step: handler (SPEC.md B1 to B4, E2, E6, E7, O1 to O3): the entry, which wires the other steps.
// The sandbox keeps the settings and the client; all else belongs to one invocation.

import './tuning/heap.js';
import { readConfig } from './config.js';
import { AggregationError, badSourcesError, internalError, sourceCode } from './errors.js';
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
/** @import { Fetched } from './reader.js' */
/** @import { Lines } from './splitter.js' */
/** @import { S3Client, Store } from './store.js' */
/** @import { Day } from './trigger.js' */
/** @typedef {{awsRequestId: string, getRemainingTimeInMillis: () => number}} Context of Lambda */

/**
 * Makes the function of a sandbox.
 * @param {ReturnType<typeof readConfig>} settings
 * @param {(config: Config, journal: Journal) => Store} openStore
 * @param {(line: string) => void} [write] where the log goes, if not to standard output
 * @returns {(event: unknown, context: Context) => Promise<Result>}
 */
export const createHandler =
  ({ config, bad }, openStore, write) =>
  async (event, context) => {
    const requestId = context.awsRequestId;
    const journal = new Journal(config?.logLevel ?? 'INFO', requestId, write);
    const deadline = new Deadline(context.getRemainingTimeInMillis());
    /** @type {Store | undefined} */
    let store;
    try {
      if (!config) throw new AggregationError('BAD_SETTINGS', bad);
      const day = parseTrigger(event);
      journal.log('INFO', 'start', { day: day.date, account: day.account, force: day.force });
      store = openStore(config, journal);
      const run = aggregate({ store, config, day, requestId, journal, deadline });
      const result = await Promise.race([run, deadline.passed, store.failed]);
      journal.end({ error: null, cause: null, result });
      return result;
    } catch (error) {
      const known = error instanceof AggregationError ? error : internalError(error);
      journal.end({ error: known.message, cause: known.cause ?? null, result: null });
      throw known;
    } finally {
      deadline.end();
      store?.close();
    }
  };

/**
 * The run of one day, from its listing to its publication.
 * @param {{store: Store, config: Config, day: Day, requestId: string, journal: Journal,
 *   deadline: Deadline}} run
 * @returns {Promise<Result>}
 */
const aggregate = async (run) => {
  const { config, day, journal, deadline } = run;
  const writer = new Writer(run);
  /** @type {{key: string, code: string}[]} */
  const bad = [];
  for await (const fetched of readSources(listSources(run), run)) {
    deadline.check();
    const taken = takeRecords(fetched, config.maxSourceBytes, journal);
    if (typeof taken === 'string') {
      bad.push({ key: fetched.key, code: taken });
      journal.log('WARN', 'bad_source', { key: fetched.key, code: taken });
    } else await writer.add(taken);
    deadline.sourcesRead++;
  }
  const chunks = await writer.close();
  const publish = () => new Publisher(run).publish(chunks, deadline.sourcesRead, bad.length);
  const result = await journal.time('publish', publish);
  if (bad.length > 0 && !day.force) throw badSourcesError(result.sources, bad);
  return result;
};

/** @type {(fetched: Fetched, maxBytes: number, journal: Journal) => Lines | string} B: or a code */
const takeRecords = ({ body, error }, maxBytes, journal) => {
  const startedMs = performance.now();
  try {
    if (!body) throw error;
    return splitRecords(inflate(body, maxBytes));
  } catch (fault) {
    const code = sourceCode(fault);
    if (code === null) throw fault;
    return code;
  } finally {
    if (body) journal.add('decode', startedMs);
  }
};

/** E6: the moment at which a run gives up, unless it is publishing by then. */
export class Deadline {
  sourcesRead = 0;
  /** @type {Promise<never>} rejects at the moment, even if a request hangs */
  passed;
  #atMs;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;

  /** @param {number} remainingMs */
  constructor(remainingMs) {
    const msLeft = remainingMs - Math.min(remainingMs * 0.1, 30_000);
    this.#atMs = performance.now() + msLeft;
    this.passed = new Promise((_, reject) => {
      this.#timer = setTimeout(() => reject(this.#error()), msLeft);
    });
    // It may pass while nobody races for it.
    this.passed.catch(() => {});
  }

  /** Throws once the moment has passed: a busy thread keeps the timer waiting. */
  check() {
    if (performance.now() >= this.#atMs) throw this.#error();
  }

  /** W4 begins: from here the run goes on, whatever the time. */
  disarm() {
    clearTimeout(this.#timer);
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  /** What a run leaves behind stops at its next check, and no timer keeps the sandbox busy. */
  end() {
    clearTimeout(this.#timer);
    this.#atMs = 0;
  }

  #error() {
    return new AggregationError('OUT_OF_TIME', `${this.sourcesRead} sources read`);
  }
}

const settings = readConfig(process.env);
const client = settings.config && (await connect(settings.config, process.env));

export const handler = createHandler(
  settings,
  (config, journal) => new S3Store(/** @type {S3Client} */ (client), config.concurrency, journal),
);
