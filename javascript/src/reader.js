// Step: reader (SPEC.md R1, R2, P2, P4): the bodies of the listed sources, in key order, fetched
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
  /** @type {{size: number, page: number, fetched: Promise<Fetched>}[]} */
  const window = [];
  let windowBytes = 0;
  /** @type {ListedObject[]} the rest of the page that was taken last */
  let listed = [];
  let taken = 0;
  /** @type {Promise<void> | null} */
  let taking = null;

  const hasRoom = (/** @type {number} */ size) =>
    window.length === 0 ||
    (window.length < config.concurrency && windowBytes + size <= WINDOW_BYTES);
  const fill = () => {
    for (let next = listed[0]; next && hasRoom(next.size); next = listed[0]) {
      listed.shift();
      window.push({
        size: next.size,
        page: taken,
        fetched: fetchBody(next, store, config, journal),
      });
      windowBytes += next.size;
    }
    pages.begin(window[0]?.page ?? taken);
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
    const [first] = window;
    if (first) {
      yield await journal.wait(first.fetched);
      // It has kept its place while the consumer worked on it.
      window.shift();
      windowBytes -= first.size;
    } else if (taking) await journal.wait(taking);
    else return;
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
