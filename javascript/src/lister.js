// Step: lister (SPEC.md L1 to L7, P4): finds accounts, organisations and regions, then yields the
// day's sources, page by page.

import { AggregationError, escapeKey } from './errors.js';

/** @import { Config } from './config.js' */
/** @import { Journal } from './journal.js' */
/** @import { ListedObject, Page, Store } from './store.js' */
/** @import { Day } from './trigger.js' */

/** @typedef {(prefix: string, delimiter?: string, token?: string) => Promise<Page>} ListPage */

/** P4: with these, the next page of the present prefix, and the five that the reader holds: ten. */
const PREFIXES_AHEAD = 4;
const ACCOUNT = /\/[0-9]{12}\/$/;
const ORGANISATION = /\/o-[a-z0-9]+\/$/;

/**
 * Yields the day's sources, page by page, in the byte order of their keys.
 * @param {object} run
 * @param {Store} run.store
 * @param {Config} run.config
 * @param {Day} run.day
 * @param {Journal} run.journal
 * @returns {AsyncGenerator<ListedObject[], void, void>}
 * @throws {AggregationError} NO_TRAIL or S3_ERROR
 */
export async function* listSources({ store, config, day, journal }) {
  /** @type {ListPage} */
  const listPage = (prefix, delimiter, token) => {
    const request = { bucket: config.srcBucket, prefix, delimiter, token };
    return journal.time('list', (begin) => store.listPage(request, begin));
  };
  const root = `${config.srcPrefix}AWSLogs/`;
  const regions = await findRegions(listPage, root, day.account);
  if (regions.length === 0) throw new AggregationError('NO_TRAIL', escapeKey(root));
  const dayFolder = `${day.date.replaceAll('-', '/')}/`;
  const prefixes = inByteOrder(regions.map((region) => region + dayFolder));
  for await (const page of listInOrder(listPage, prefixes)) {
    yield page.objects.filter(({ key }) => !key.endsWith('/'));
  }
}

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
      ? await findAccounts(listPage, folders, organisations)
      : [root, ...organisations].map((parent) => `${parent}${account}/`);
  const regions = accounts.map((folder) => listFolders(listPage, `${folder}CloudTrail/`));
  return (await Promise.all(regions)).flat();
};

/**
 * @param {ListPage} listPage
 * @param {string[]} folders directly below the root
 * @param {string[]} organisations those of them that are an organisation's
 */
const findAccounts = async (listPage, folders, organisations) => {
  const below = await Promise.all(organisations.map((folder) => listFolders(listPage, folder)));
  return [folders, ...below].flat().filter((folder) => ACCOUNT.test(folder));
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
 * The pages of all prefixes, in the order given. While a page is consumed, the next one of its
 * prefix and the first ones of the prefixes to come are requested.
 * @param {ListPage} listPage
 * @param {string[]} prefixes
 * @returns {AsyncGenerator<Page, void, void>}
 */
async function* listInOrder(listPage, prefixes) {
  /** @type {Promise<Page>[]} of the present prefix and those to come */
  const firstPages = [];
  let requested = 0;
  for (const [index, prefix] of prefixes.entries()) {
    for (const next of prefixes.slice(requested, index + 1 + PREFIXES_AHEAD)) {
      firstPages.push(handled(listPage(next)));
      requested++;
    }
    let page = await /** @type {Promise<Page>} */ (firstPages.shift());
    while (page.nextToken !== undefined) {
      const following = handled(listPage(prefix, undefined, page.nextToken));
      yield page;
      page = await following;
    }
    yield page;
  }
}

/**
 * A rejection that nobody awaits ends the process, and a run that has failed awaits no page.
 * @template T
 * @param {Promise<T>} promise
 */
const handled = (promise) => {
  promise.catch(() => {});
  return promise;
};
