// Step: handler (SPEC.md B1 to B4, E2, E6, E7, O1 to O3): the entry, which wires the other steps.
// Holds the sandbox's settings, client and chunk buffer, made once, here; everything else belongs to one invocation and ends with it.

import './heap.js';
import { ChunkBuffer } from './chunk-buffer.js';
import { readConfig } from './config.js';
import { AggregationError, badSourcesError, describe, sourceCode } from './errors.js';
import { inflate } from './inflater.js';
import { Journal } from './journal.js';
import { listSources, PagesAhead } from './lister.js';
import { Publisher } from './publisher.js';
import { readSources } from './reader.js';
import { splitRecords } from './splitter.js';
import { connect, Store } from './store.js';
import { parseTrigger } from './trigger.js';
import { Writer } from './writer.js';

/** @import { Environment } from './config.js' */
/** @import { Client, Config, Day, Door, Lines, Result, TimeLimit } from './types.js' */
/** @import { Fetched } from './reader.js' */

/**
 * What an invocation needs of Lambda's context.
 * @typedef {{awsRequestId: string, getRemainingTimeInMillis: () => number}} Context
 */

/**
 * What outlives an invocation.
 * @typedef {object} Sandbox
 * @property {ReturnType<typeof readConfig>} settings
 * @property {(config: Config, journal: Journal) => Door | Promise<Door>} openStore
 * @property {(line: string) => void} [write] where the log goes, if not to standard output
 */

/**
 * Makes the function of a sandbox.
 * @param {Sandbox} sandbox
 * @returns {(event: unknown, context: Context) => Promise<Result>}
 */
export const createHandler = (sandbox) => {
  let compressed = new ChunkBuffer();
  return async (event, context) => {
    const { config, bad } = sandbox.settings;
    const journal = new Journal(config?.logLevel ?? 'INFO', context.awsRequestId, sandbox.write);
    const deadline = new Deadline(context.getRemainingTimeInMillis());
    /** @type {Door | undefined} */
    let store;
    try {
      if (!config) throw new AggregationError('BAD_SETTINGS', bad);
      const day = parseTrigger(event);
      journal.log('INFO', 'start', { day: day.date, account: day.account, force: day.force });
      store = await sandbox.openStore(config, journal);
      const run = aggregate(store, config, day, context.awsRequestId, journal, deadline, compressed);
      const result = await Promise.race([run, deadline.passed, store.failed]);
      journal.end({ error: null, cause: null, result });
      return result;
    } catch (error) {
      // A put of this run may still read the old one.
      compressed = new ChunkBuffer();
      const known = error instanceof AggregationError ? error : internalError(error);
      journal.end({ error: known.message, cause: /** @type {string} */ (known.cause ?? null), result: null });
      throw known;
    } finally {
      deadline.end();
      store?.close();
    }
  };
};

/**
 * The run of one day, from its listing to its publication.
 * @param {Door} store
 * @param {Config} config
 * @param {Day} day
 * @param {string} requestId
 * @param {Journal} journal
 * @param {Deadline} deadline
 * @param {ChunkBuffer} compressed
 * @returns {Promise<Result>}
 */
const aggregate = async (store, config, day, requestId, journal, deadline, compressed) => {
  const writer = new Writer(store, config, day, requestId, journal, deadline, compressed);
  /** @type {{key: string, code: string}[]} */
  const bad = [];
  const pagesAhead = new PagesAhead();
  const pages = listSources(store, config, day, journal, pagesAhead);
  for await (const fetched of readSources(pages, pagesAhead, store, config, journal)) {
    deadline.check();
    const taken = takeRecords(fetched, config.maxSourceBytes, journal);
    if (typeof taken === 'string') {
      bad.push({ key: fetched.key, code: taken });
      journal.log('WARN', 'bad_source', { key: fetched.key, code: taken });
    } else await writer.add(taken);
    deadline.sourcesRead++;
  }
  const chunks = await writer.close();
  const publisher = new Publisher(store, config, day, deadline);
  const result = await journal.time('publish', () => publisher.publish(chunks, deadline.sourcesRead, bad.length));
  if (bad.length > 0 && !day.force) throw badSourcesError(result.sources, bad);
  return result;
};

/**
 * @param {Fetched} fetched
 * @param {number} maxBytes
 * @param {Journal} journal
 * @returns {Lines | string} a bad source's code
 */
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

/** @param {unknown} error */
const internalError = (error) => new AggregationError('INTERNAL', 'see the log', describe(error));

/**
 * E6: the moment at which a run gives up, unless it is publishing by then.
 * @implements {TimeLimit}
 */
export class Deadline {
  sourcesRead = 0;
  #atMs;
  #timer;
  #armed = true;
  /** @type {Promise<never>} rejects at the moment, even if a request hangs */
  passed;

  /** @param {number} remainingMs */
  constructor(remainingMs) {
    const msLeft = remainingMs - Math.min(remainingMs * 0.1, 30_000);
    const { promise, reject } = /** @type {PromiseWithResolvers<never>} */ (Promise.withResolvers());
    this.passed = promise;
    // It may pass while nobody races for it.
    promise.catch(() => {});
    this.#atMs = performance.now() + msLeft;
    this.#timer = setTimeout(() => reject(this.#error()), msLeft);
  }

  /** Throws once the moment has passed: a busy thread keeps the timer waiting. */
  check() {
    if (this.#armed && performance.now() >= this.#atMs) throw this.#error();
  }

  /** W4 begins: from here the run goes on, whatever the time. */
  disarm() {
    this.#armed = false;
    clearTimeout(this.#timer);
  }

  /** Whatever of the run is still on its way stops at its next check, and no timer keeps the sandbox busy. */
  end() {
    this.disarm();
    this.#armed = true;
    this.#atMs = 0;
  }

  #error() {
    return new AggregationError('OUT_OF_TIME', `${this.sourcesRead} sources read`);
  }
}

/**
 * @param {Environment} env
 * @returns {Promise<Sandbox>}
 */
const openSandbox = async (env) => {
  const settings = readConfig(env);
  /** @type {Client | undefined} */
  let client;
  const openStore = async (/** @type {Config} */ config, /** @type {Journal} */ journal) => {
    client ??= await connect(config, env);
    return new Store(client, config.concurrency, journal);
  };
  try {
    if (settings.config) client = await connect(settings.config, env);
  } catch {
    // S14: the initialisation must not fail. Each invocation tries again and reports what it meets.
  }
  return { settings, openStore };
};

export const handler = createHandler(await openSandbox(process.env));
