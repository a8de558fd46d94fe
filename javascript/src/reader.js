// Step: reader (SPEC.md R1, R2, P2, P4): the listed sources' bodies, in key order, fetched ahead.
// Holds at most CONCURRENCY bodies and 64 MiB by listed size, the consumer's included; always at least one.

import { AggregationError } from './errors.js';

/** @import { Config, Door, Source } from './types.js' */
/** @import { PagesAhead } from './lister.js' */
/** @import { Journal } from './journal.js' */

const WINDOW_BYTES = 64 * 1024 * 1024;

/**
 * A source whose body is there, or the error that stands for it. The consumer sorts the errors.
 * @typedef {{key: string, body: Buffer | null, error: unknown}} Fetched
 */

/**
 * `pages` is how many pages begin with this source: its own, if it is the first there, and empty ones before it.
 * @typedef {{source: Source, pages: number, fetched: Promise<Fetched>}} Place
 */

/**
 * Fetches the sources ahead and yields them in their order.
 * @param {AsyncIterator<Source[], void, void>} pages
 * @param {PagesAhead} pagesAhead
 * @param {Door} store
 * @param {Config} config
 * @param {Journal} journal
 * @returns {AsyncGenerator<Fetched, void, void>}
 * @throws {AggregationError} what the listing throws
 */
export async function* readSources(pages, pagesAhead, store, config, journal) {
  /** @type {Place[]} */
  const window = [];
  let windowBytes = 0;
  const fill = () => {
    for (let next = queue.peek(); next; next = queue.peek()) {
      const fits = window.length < config.concurrency && windowBytes + next.size <= WINDOW_BYTES;
      if (window.length > 0 && !fits) return;
      window.push({ source: next, pages: queue.shift(), fetched: fetch(next, store, config, journal) });
      windowBytes += next.size;
    }
  };
  // A page may arrive while the head is awaited, or worked on.
  const queue = new PageQueue(pages, fill);
  for (;;) {
    fill();
    const head = window[0];
    const begun = head ? head.pages : queue.emptyPages();
    for (let page = 0; page < begun; page++) pagesAhead.begin();
    if (head) {
      yield await journal.wait(head.fetched);
      // The head keeps its place while the consumer works on it.
      window.shift();
      windowBytes -= head.source.size;
    } else if (!(await journal.wait(queue.nextPage()))) return;
  }
}

/** The listed sources to come: those at hand, and one page on its way. */
class PageQueue {
  #pages;
  #onArrival;
  /** @type {Source[]} */
  #page = [];
  #at = 0;
  #turned = 0;
  /** @type {Source[] | undefined} */
  #arrived;
  #arriving;

  /**
   * @param {AsyncIterator<Source[], void, void>} pages
   * @param {() => void} onArrival
   */
  constructor(pages, onArrival) {
    this.#pages = pages;
    this.#onArrival = onArrival;
    this.#arriving = this.#request();
  }

  async #request() {
    const { done, value } = await this.#pages.next();
    if (done) return false;
    this.#arrived = value;
    this.#onArrival();
    return true;
  }

  /** The next source, if it is at hand. */
  peek() {
    while (this.#at === this.#page.length && this.#arrived) this.#turn();
    return this.#page[this.#at];
  }

  /** Takes that source. Returns how many pages were turned to come to it. */
  shift() {
    this.#at++;
    return this.emptyPages();
  }

  /** How many pages were turned since the last source was taken. */
  emptyPages() {
    const turned = this.#turned;
    this.#turned = 0;
    return turned;
  }

  /** Waits for the page on its way; false at the end. */
  nextPage() {
    return this.#arriving;
  }

  #turn() {
    this.#page = this.#arrived ?? [];
    this.#at = 0;
    this.#turned++;
    this.#arrived = undefined;
    this.#arriving = this.#request();
    // A failed listing is met by nextPage, or never when the run ends before.
    this.#arriving.catch(() => {});
  }
}

/**
 * Never rejects: a body may fail long before its turn comes.
 * @param {Source} source
 * @param {Door} store
 * @param {Config} config
 * @param {Journal} journal
 * @returns {Promise<Fetched>}
 */
const fetch = async ({ key, size }, store, { srcBucket, maxSourceBytes }, journal) => {
  try {
    if (size > maxSourceBytes) throw new AggregationError('TOO_LARGE', key);
    const body = await journal.time('get', (begin) => store.get(srcBucket, key, maxSourceBytes, begin));
    return { key, body, error: null };
  } catch (error) {
    return { key, body: null, error };
  }
};
