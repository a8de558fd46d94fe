// Step: reader (SPEC.md R1, R2, R9, P2): the bodies of the listed sources, in key order, fetched
// ahead. The window is the sources that are fetched or being fetched, the consumer's included.

import { AggregationError, handled } from './errors.js';

/** @import { Config } from './config.js' */
/** @import { Journal } from './journal.js' */
/** @import { SourcePages } from './lister.js' */
/** @import { ListedObject, Store } from './store.js' */

const WINDOW_BYTES = 64 * 1024 * 1024;

/**
 * A source whose body is there, or the error in its place, for the consumer to judge.
 * @typedef {{key: string, body: Buffer | null, error: unknown}} Fetched
 */

/**
 * Fetches the sources ahead and yields them in their order.
 * @param {Promise<SourcePages>} listing
 * @param {object} run
 * @param {Store} run.store
 * @param {Config} run.config
 * @param {Journal} run.journal
 * @returns {AsyncGenerator<Fetched, void, void>}
 * @throws {AggregationError} what the listing throws
 */
export async function* readSources(listing, { store, config, journal }) {
  const pages = await journal.wait(listing);
  const window = new Window(config.concurrency);
  /** @type {ListedObject[]} the rest of the page that was taken last */
  let listed = [];
  let taken = 0;
  /** @type {Promise<void> | null} */
  let taking = null;

  const fill = () => {
    for (let next = listed[0]; next && window.hasRoom(next.size); next = listed[0]) {
      listed.shift();
      const fetched = fetchBody(next, store, config, journal);
      window.push({ size: next.size, page: taken, fetched });
    }
    pages.begin(window.first?.page ?? taken);
    if (listed.length === 0 && pages.canTake) taking ??= handled(takePage());
  };
  const takePage = async () => {
    listed = await pages.take();
    taken++;
    taking = null;
    fill();
  };

  for (;;) {
    fill();
    if (window.first) {
      yield await journal.wait(window.first.fetched);
      window.shift(); // it has kept its place while the consumer worked on it
    } else if (taking) await journal.wait(taking);
    else return;
  }
}

/**
 * P2: the sources that are requested and not yet read, in order.
 * @typedef {{size: number, page: number, fetched: Promise<Fetched>}} Requested
 */
class Window {
  /** @type {Requested[]} */
  #sources = [];
  #bytes = 0;
  #most;

  /** @param {number} most sources at a time */
  constructor(most) {
    this.#most = most;
  }

  get first() {
    return this.#sources[0];
  }

  /** @param {number} size in bytes, as listed */
  hasRoom(size) {
    const { length } = this.#sources;
    return length === 0 || (length < this.#most && this.#bytes + size <= WINDOW_BYTES);
  }

  /** @param {Requested} source */
  push(source) {
    this.#sources.push(source);
    this.#bytes += source.size;
  }

  shift() {
    this.#bytes -= this.#sources.shift()?.size ?? 0;
  }
}

/**
 * Never rejects: a body may fail long before its turn comes.
 * @param {ListedObject} source
 * @param {Store} store
 * @param {Config} config
 * @param {Journal} journal
 * @returns {Promise<Fetched>}
 */
const fetchBody = async ({ key, size }, store, { srcBucket, maxSourceBytes }, journal) => {
  try {
    if (size > maxSourceBytes) throw new AggregationError('TOO_LARGE', key);
    const body = await journal.time('get', (begin) =>
      store.get(srcBucket, key, maxSourceBytes, begin),
    );
    return { key, body, error: null };
  } catch (error) {
    return { key, body: null, error };
  }
};
