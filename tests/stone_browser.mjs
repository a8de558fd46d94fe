// Looks at the stone in Chromium, and prints what it has seen as JSON. The tests of
// test_stone_browser.py judge it.
// node stone_browser.mjs MODULES CHROMIUM PAGE FOLDER_OF_PICTURES

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, file, pictures] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
const AXE = readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8');
const PAGE = pathToFileURL(file).href;
const DESK = { width: 1440, height: 900 };
const TABLET = { width: 1024, height: 768 };
const PHONE = { width: 390, height: 844 };

const seen = { complaints: [], requests: [], places: {}, columns: {}, search: {}, keys: {} };
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

/**
 * Opens the page in a context of its own, which has no storage yet. Only where axe shall judge, the
 * page's policy is off: it forbids a script that is not the page's own.
 */
const open = async (
  viewport,
  { hash = '', colorScheme = 'light', query = '', forAxe = false } = {},
) => {
  const context = await browser.newContext({ viewport, colorScheme, bypassCSP: forAxe });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  page.on('console', (message) => seen.complaints.push(message.text()));
  page.on('pageerror', (error) => seen.complaints.push(error.message));
  page.on('request', (request) => seen.requests.push(request.url()));
  await page.goto(PAGE + query + hash);
  return page;
};

/** The place of an element below the bar, in pixels; null if it is not shown. */
const below = (page, id) =>
  page.evaluate((name) => {
    const place = document.getElementById(name).getBoundingClientRect();
    const bar = document.getElementById('bar').getBoundingClientRect();
    return place.height === 0 ? null : Math.round(place.top - bar.bottom);
  }, id);

const hash = (page) => page.evaluate(() => location.hash);
const columns = (page) =>
  page.evaluate(() => {
    const cells = [...document.querySelectorAll('[id="reader/fill"] .cell')];
    return cells.filter((each) => each.offsetParent).map((each) => each.getAttribute('aria-label'));
  });
const views = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.view')].filter((v) => !v.hidden).map((v) => v.id),
  );

/** What axe finds in what is shown. */
const judge = async (page) => {
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`),
  );
};

// -- places, lessons, search, paper --
{
  const page = await open(DESK, { hash: '#reader/fill' });
  seen.places.deep = await below(page, 'reader/fill');
  seen.places.step = await page.getAttribute('#steps [aria-current]', 'href');
  await page.click('#steps a[href="#writer"]');
  seen.places.clicked = await below(page, 'writer');
  await page.goBack();
  seen.places.back = [await hash(page), await below(page, 'reader/fill')];
  await page.click('#views a[href="#contract"]');
  seen.places.contract = [await views(page), await below(page, 'reader/fill')];
  await page.goto(`${PAGE}#contract/R5`);
  seen.places.clause = await below(page, 'contract/R5');
  await page.click('[id="contract/R5"] .uses a');
  seen.places.used = [await views(page), await hash(page)];
  await page.goto(`${PAGE}#no-such-place`);
  seen.places.unknown = await views(page);

  await page.goto(`${PAGE}#lessons`);
  const first = page.locator('#lessons .list a').first();
  seen.lesson = { link: await first.getAttribute('href') };
  await first.click();
  seen.lesson.shown = await page.evaluate(() =>
    [...document.querySelectorAll('.lesson')]
      .filter((each) => !each.hidden)
      .map((each) => `#${each.id}`),
  );
  seen.lesson.cells = await page.evaluate(() =>
    [...document.querySelectorAll('.lesson:not([hidden]) .cell')]
      .filter((each) => each.offsetParent)
      .map((each) => each.getAttribute('aria-label')),
  );

  await page.keyboard.press('/');
  await page.keyboard.type('copyWithin');
  seen.search.count = await page.textContent('#count');
  seen.search.results = await page.locator('#results a').allTextContents();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  seen.search.place = [await hash(page), await below(page, 'splitter/copy')];
  seen.search.marked = await page.evaluate(() => [...CSS.highlights.get('found')].map(String));
  await page.fill('#query', 'reading-gzip-wrong-crc');
  seen.search.vector = await page.locator('#results a').first().getAttribute('href');
  await page.fill('#query', 'no such words');
  seen.search.none = await page.textContent('#count');
  await page.keyboard.press('Escape');
  seen.search.closed = await page.locator('#results').isHidden();

  await page.goto(`${PAGE}#splitter`);
  await page.emulateMedia({ media: 'print' });
  seen.print = await page.evaluate(() => ({
    bar: getComputedStyle(document.getElementById('bar')).display,
    cells: document.querySelectorAll('#splitter .piece .cell:not([hidden])').length,
  }));
  await page.context().close();
}

// -- columns and keys --
{
  const page = await open(DESK, { hash: '#reader/fill' });
  seen.columns.desk = await columns(page);
  for (const key of '14') await page.keyboard.press(key);
  seen.columns.two = await columns(page);
  seen.columns.place = await below(page, 'reader/fill');
  await page.keyboard.press('2');
  seen.columns.least = await columns(page);
  await page.reload();
  seen.columns.kept = await columns(page);
  await page.click('#languages [data-language=go]');
  seen.columns.three = await columns(page);

  await page.keyboard.press('j');
  seen.keys.next = await hash(page);
  await page.keyboard.press('k');
  await page.keyboard.press('k');
  seen.keys.previous = await hash(page);
  await page.keyboard.press('n');
  seen.keys.step = await hash(page);
  await page.keyboard.press('c');
  seen.keys.clauses = await page.evaluate(
    () => document.querySelectorAll('.contract:not([open])').length,
  );
  await page.keyboard.press('t');
  seen.keys.theme = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.keyboard.press('t');
  seen.keys.back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.keyboard.press('?');
  seen.keys.help = await page.locator('#keys').isVisible();
  await page.keyboard.press('Escape');
  seen.keys.closed = await page.locator('#keys').isHidden();
  await page.context().close();
}
{
  const page = await open(TABLET, { hash: '#reader/fill' });
  seen.columns.tablet = await columns(page);
  seen.columns.tabletWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.context().close();
}
{
  const page = await open(DESK, { hash: '#reader/fill', query: '?languages=java,go' });
  seen.columns.asked = await columns(page);
  await page.context().close();
}
{
  const page = await open(PHONE, { hash: '#reader/fill' });
  seen.columns.phone = await columns(page);
  await page.click('#languages [data-language=go]');
  seen.columns.tab = await columns(page);
  seen.columns.phoneWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.goto(`${PAGE}#contract`);
  await page.reload();
  seen.columns.contract = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.querySelector('#views').getBoundingClientRect().top >= 0,
  ]);
  await page.context().close();
}

// -- contrast and labels --
seen.axe = {};
{
  const page = await open(DESK, { hash: '#splitter', forAxe: true });
  await page.keyboard.press('c');
  // axe takes long for a page of this size, so one step is enough
  await page.evaluate(() => {
    for (const each of document.querySelectorAll('.step:not(#splitter)')) each.replaceChildren();
  });
  await page.addScriptTag({ content: AXE });
  for (const [name, viewport, colorScheme, hash] of [
    ['light', DESK, 'light', '#splitter'],
    ['dark', DESK, 'dark', '#splitter'],
    ['phone', PHONE, 'light', '#splitter'],
    ['contract', DESK, 'dark', '#contract'],
    ['lesson', DESK, 'light', '#lesson/00-raw-text'],
  ]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.goto(PAGE + hash);
    await page.screenshot({ path: join(pictures, `${name}.png`) });
    seen.axe[name] = await judge(page);
  }
  await page.context().close();
}

// -- without script --
{
  const context = await browser.newContext({ viewport: DESK, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(PAGE);
  seen.withoutScript = await page.locator('.cell:visible').count();
  await context.close();
}

await browser.close();
console.log(JSON.stringify(seen));
