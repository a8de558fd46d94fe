// Step: lister (SPEC.md L1 to L7, P4): finds accounts, organisations and regions, then lists the
// day's sources, page by page.

import { AggregationError, escapeKey, handled } from './errors.js';

/** @import { Config } from './config.js' */
/** @import { Journal } from './journal.js' */
/** @import { ListedObject, Page, Store } from './store.js' */
/** @import { Day } from './trigger.js' */

/** @typedef {(prefix: string, delimiter?: string, token?: string) => Promise<Page>} ListPage */
/** @typedef {Promise<{prefix: string, page: Page}>} Coming */

/** P4: pages that are requested before the consumer comes to them. */
const PAGES_AHEAD = 10;
const ACCOUNT = /\/[0-9]{12}\/$/;
const ORGANISATION = /\/o-[a-z0-9]+\/$/;

/**
 * Finds the day's folders, and begins to list them.
 * @param {{store: Store, config: Config, day: Day, journal: Journal}} run
 * @throws {AggregationError} NO_TRAIL or S3_ERROR
 */
export const listSources = async ({ store, config, day, journal }) => {
  /** @type {ListPage} */
  const listPage = (prefix, delimiter, token) => {
    const request = { bucket: config.srcBucket, prefix, delimiter, token };
    return journal.time('list', (begin) => store.listPage(request, begin));
  };
  const root = `${config.srcPrefix}AWSLogs/`;
  const regions = await findRegions(listPage, root, day.account);
  if (regions.length === 0) throw new AggregationError('NO_TRAIL', escapeKey(root));
  const dayFolder = `${day.date.replaceAll('-', '/')}/`;
  // No prefix begins another one, so their keys are in order as well.
  return new SourcePages(listPage, inByteOrder(regions.map((region) => region + dayFolder)));
};

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
 * @type {(listPage: ListPage, root: string, account: string | null) => Promise<string[]>}
 */
const findRegions = async (listPage, root, account) => {
  const folders = await listFolders(listPage, root);
  const organisations = folders.filter((folder) => ORGANISATION.test(folder));
  const accounts =
    account === null
      ? await findAccounts(listPage, folders, organisations)
      : [root, ...organisations].map((parent) => `${parent}${account}/`);
  const regions = accounts.map((folder) => listFolders(listPage, `${folder}CloudTrail/`));
  return (await Promise.all(regions)).flat();
};

/** @type {(listPage: ListPage, folders: string[], organisations: string[]) => Promise<string[]>} */
const findAccounts = async (listPage, folders, organisations) => {
  const below = await Promise.all(organisations.map((folder) => listFolders(listPage, folder)));
  return [folders, ...below].flat().filter((folder) => ACCOUNT.test(folder));
};

/**
 * The common prefixes directly below a prefix, all pages.
 * @type {(listPage: ListPage, prefix: string) => Promise<string[]>}
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

/** The day's sources in the byte order of their keys, page by page, requested before their turn. */
export class SourcePages {
  #listPage;
  #prefixes;
  /** @type {Coming[]} requested and not taken, in their order */
  #coming = [];
  /** @type {{prefix: string, token: string} | null} the next page, if P4 does not allow it yet */
  #held = null;
  #requested = 0;
  #begun = 0;

  /**
   * @param {ListPage} listPage
   * @param {string[]} prefixes in byte order
   */
  constructor(listPage, prefixes) {
    this.#listPage = listPage;
    this.#prefixes = prefixes.values();
    this.#requestAhead();
  }

  /** Whether there is a page that can be taken now. */
  get canTake() {
    return this.#held === null && this.#coming.length > 0;
  }

  /**
   * The next page. One is taken at a time, because it tells whether its prefix has another one.
   * @returns {Promise<ListedObject[]>}
   */
  async take() {
    const { prefix, page } = await /** @type {Coming} */ (this.#coming.shift());
    if (page.nextToken !== undefined) this.#held = { prefix, token: page.nextToken };
    this.#requestAhead();
    return page.objects.filter(({ key }) => !key.endsWith('/'));
  }

  /**
   * The consumer has come to a page, so that another one may be requested.
   * @param {number} page counted from 1
   */
  begin(page) {
    this.#begun = page;
    this.#requestAhead();
  }

  #requestAhead() {
    if (this.#held && this.#requested - this.#begun < PAGES_AHEAD) {
      this.#coming.unshift(this.#request(this.#held.prefix, this.#held.token));
      this.#held = null;
    }
    // One page less: the present prefix may have another one, which comes first.
    while (this.#requested - this.#begun < PAGES_AHEAD - 1) {
      const { value: prefix, done } = this.#prefixes.next();
      if (done) return;
      this.#coming.push(this.#request(prefix));
    }
  }

  /** @type {(prefix: string, token?: string) => Coming} */
  #request(prefix, token) {
    this.#requested++;
    return handled(this.#listPage(prefix, undefined, token).then((page) => ({ prefix, page })));
  }
}
