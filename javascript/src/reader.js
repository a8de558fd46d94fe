// Step: reader (SPEC.md R1, R2, P2, P4): the bodies of the listed sources, in key order, fetched
// ahead. The window is the sources that are fetched or being fetched, the consumer's included.

import { AggregationError } from './errors.js';

/** @import { Config } from './config.js' */
/** @import { Journal } from './journal.js' */
/** @import { ListedObject, Store } from './store.js' */

const WINDOW_BYTES = 64 * 1024 * 1024;
const WINDOW_PAGES = 5;

/**
 * A source whose body is there, or the error in its place, for the consumer to judge.
 * @typedef {{key: string, body: Buffer | null, error: unknown}} Fetched
 */

/**
 * Fetches the sources ahead and yields them in their order.
 * @param {AsyncIterator<ListedObject[], void, void>} pages
 * @param {object} run
 * @param {Store} run.store
 * @param {Config} run.config
 * @param {Journal} run.journal
 * @returns {AsyncGenerator<Fetched, void, void>}
 * @throws {AggregationError} what the listing throws
 */
export async function* readSources(pages, { store, config, journal }) {
  /** @type {{size: number, page: number, fetched: Promise<Fetched>}[]} */
  const window = [];
  let windowBytes = 0;
  const hasRoom = (/** @type {number} */ size) =>
    window.length === 0 ||
    (window.length < config.concurrency && windowBytes + size <= WINDOW_BYTES);

  async function* yieldFirst() {
    const [first] = window;
    if (!first) return;
    yield await journal.wait(first.fetched);
    // It keeps its place while the consumer works on it.
    window.shift();
    windowBytes -= first.size;
  }

  for (let page = 0; ; page++) {
    while (window[0] && page - window[0].page >= WINDOW_PAGES) yield* yieldFirst();
    const { done, value: sources } = await journal.wait(pages.next());
    if (done) break;
    for (const { key, size } of sources) {
      while (!hasRoom(size)) yield* yieldFirst();
      window.push({ size, page, fetched: fetch({ key, size }, store, config, journal) });
      windowBytes += size;
    }
  }
  while (window.length > 0) yield* yieldFirst();
}

/**
 * Never rejects: a body may fail long before its turn comes.
 * @param {ListedObject} source
 * @param {Store} store
 * @param {Config} config
 * @param {Journal} journal
 * @returns {Promise<Fetched>}
 */
const fetch = async ({ key, size }, store, { srcBucket, maxSourceBytes }, journal) => {
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
