// Step: lister (SPEC.md L1 to L7, P4): finds accounts, organisations and regions, then yields the day's sources.
// Holds all day prefixes of the run, and pages: with those that the reader holds, at most ten ahead of the consumer.

import { AggregationError, escapeKey } from './errors.js';

/** @import { Config, Day, Door, Page, Source } from './types.js' */
/** @import { Journal } from './journal.js' */

const PAGES_AHEAD = 10;
const ACCOUNT = /\/[0-9]{12}\/$/;
const ORGANISATION = /\/o-[a-z0-9]+\/$/;

/** P4: the pages that are requested, and of which the ordered consumer has not begun one source. */
export class PagesAhead {
  count = 0;
  /** What the lister does when the consumer begins a page. */
  onBegun = () => {};

  /** The consumer has come to the next page. */
  begin() {
    this.count--;
    this.onBegun();
  }
}

/**
 * Yields the day's sources, page by page, in the byte order of their keys.
 * @param {Door} store
 * @param {Config} config
 * @param {Day} day
 * @param {Journal} journal
 * @param {PagesAhead} pagesAhead which the consumer counts down, page by page
 * @returns {AsyncGenerator<Source[], void, void>}
 * @throws {AggregationError} NO_TRAIL or S3_ERROR
 */
export async function* listSources(store, config, day, journal, pagesAhead) {
  /** @type {ListPage} */
  const listPage = (prefix, delimiter, token) =>
    journal.time('list', (begin) => store.listPage(config.srcBucket, prefix, delimiter, token, begin));
  const root = `${config.srcPrefix}AWSLogs/`;
  const regions = await findRegions(listPage, root, day.account);
  if (regions.length === 0) throw new AggregationError('NO_TRAIL', escapeKey(root));
  const dayFolder = `${day.date.replaceAll('-', '/')}/`;
  const prefixes = inByteOrder(regions.map((region) => region + dayFolder));
  for await (const page of listInOrder(listPage, prefixes, pagesAhead)) {
    yield page.objects.filter(({ key }) => !key.endsWith('/'));
  }
}

/** @typedef {(prefix: string, delimiter?: string, token?: string) => Promise<Page>} ListPage */

/**
 * L6. JavaScript's own order is by UTF-16 units, which differs from UTF-8's beyond U+FFFF.
 * @param {string[]} keys
 */
export const inByteOrder = (keys) =>
  keys
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ key }) => key);

/**
 * All `.../CloudTrail/{region}/` of one account or of all, in no order.
 * @param {ListPage} listPage
 * @param {string} root ends in `AWSLogs/`
 * @param {string | null} account
 */
const findRegions = async (listPage, root, account) => {
  const folders = await listFolders(listPage, root);
  const organisations = folders.filter((folder) => ORGANISATION.test(folder));
  const accounts =
    account === null
      ? (await Promise.all([folders, ...organisations.map((folder) => listFolders(listPage, folder))]))
          .flat()
          .filter((folder) => ACCOUNT.test(folder))
      : [root, ...organisations].map((parent) => `${parent}${account}/`);
  return (await Promise.all(accounts.map((folder) => listFolders(listPage, `${folder}CloudTrail/`)))).flat();
};

/**
 * The common prefixes directly below a prefix, all pages.
 * @param {ListPage} listPage
 * @param {string} prefix
 */
const listFolders = async (listPage, prefix) => {
  /** @type {string[]} */
  const folders = [];
  /** @type {string | undefined} */
  let token;
  do {
    const page = await listPage(prefix, '/', token);
    folders.push(...page.prefixes);
    token = page.nextToken;
  } while (token !== undefined);
  return folders;
};

/**
 * The objects of all prefixes, in the order given. Pages are requested before their turn, as P4 allows.
 * @param {ListPage} listPage
 * @param {string[]} prefixes
 * @param {PagesAhead} pagesAhead
 * @returns {AsyncGenerator<Page, void, void>}
 */
async function* listInOrder(listPage, prefixes, pagesAhead) {
  /** @param {string} prefix @param {string} [token] */
  const request = (prefix, token) => {
    pagesAhead.count++;
    const page = listPage(prefix, undefined, token);
    // A run that has ended by then awaits it no more.
    page.catch(() => {});
    return page;
  };
  /** @type {Promise<Page>[]} first pages of the prefixes to come */
  const firstPages = [];
  let requested = 0;
  let wake = () => {};
  const requestFirstPages = () => {
    // One place is left for the next page of the present prefix.
    for (; pagesAhead.count < PAGES_AHEAD - 1 && requested < prefixes.length; requested++)
      firstPages.push(request(/** @type {string} */ (prefixes[requested])));
    wake();
  };
  pagesAhead.onBegun = requestFirstPages;
  const pageBegun = () => new Promise((resolve) => (wake = () => resolve(undefined)));

  requestFirstPages();
  for (const prefix of prefixes) {
    while (firstPages.length === 0) await pageBegun();
    let page = await /** @type {Promise<Page>} */ (firstPages.shift());
    while (page.nextToken !== undefined) {
      while (pagesAhead.count >= PAGES_AHEAD) await pageBegun();
      const following = request(prefix, page.nextToken);
      yield page;
      page = await following;
    }
    yield page;
  }
}
