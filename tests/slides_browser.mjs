// Looks at the slides in Chromium, and prints what it has seen as JSON. The tests of
// test_slides_browser.py judge it.
// node slides_browser.mjs MODULES CHROMIUM PAGE FOLDER_OF_PICTURES

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, executablePath, file, pictures] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
const AXE = readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8');
const PAGE = pathToFileURL(file).href;
const SMALL = { width: 1280, height: 720 };
const LARGE = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844 };

const seen = { complaints: [], requests: [], keys: {}, plans: {}, speaker: {}, sizes: {}, axe: {} };
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

/** Only where axe shall judge, the page's policy is off: it forbids a script of others. */
const open = async (viewport, place = '', { colorScheme = 'light', forAxe = false } = {}) => {
  const context = await browser.newContext({ viewport, colorScheme, bypassCSP: forAxe });
  context.on('page', (page) => {
    page.on('console', (message) => seen.complaints.push(message.text()));
    page.on('pageerror', (error) => seen.complaints.push(error.message));
    page.on('request', (request) => seen.requests.push(request.url()));
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(PAGE + place);
  return page;
};

const hash = (page) => page.evaluate(() => location.hash);
/** The ids of the frames that can be seen. */
const shown = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.frame')].filter((f) => f.offsetHeight).map((f) => f.id),
  );

/** For each slide: what goes beyond it, the least size of its code, and its lines of code. */
const measure = (page) =>
  page.evaluate(() => {
    const found = [];
    for (const frame of [...document.querySelectorAll('.frame')].slice(1)) {
      location.hash = frame.id;
      dispatchEvent(new HashChangeEvent('hashchange'));
      const slide = frame.querySelector('.slide');
      const place = slide.getBoundingClientRect();
      const scale = place.height / 720;
      const title = frame.querySelector('h2').getBoundingClientRect();
      const number = frame.querySelector('.number').getBoundingClientRect();
      const beyond = [...slide.querySelectorAll('.body *')].filter((each) => {
        const box = each.getBoundingClientRect();
        const isOut = box.bottom > place.bottom - 4 || box.right > place.right - 4;
        const isAbove = box.height > 0 && box.top < title.bottom;
        const hides = box.bottom > number.top && box.right > number.left && box.height < 200;
        return isOut || isAbove || (hides && each.matches('.l, p, li, td'));
      });
      const codes = [...slide.querySelectorAll('.listing')];
      const sizes = codes.map((each) =>
        Number.parseFloat(getComputedStyle(each.querySelector('pre')).fontSize),
      );
      const lines = codes.map((each) => each.querySelectorAll('.l').length);
      found.push({
        id: frame.id,
        shown: place.height > 0,
        beyond: beyond.map((each) => each.outerHTML.slice(0, 80)),
        width: Math.round(place.width),
        size: sizes.length ? Math.min(...sizes) / scale : null,
        lines: Math.max(0, ...lines),
      });
    }
    return found;
  });

/** What axe finds in what is shown. */
const judge = async (page) => {
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`),
  );
};

// -- sizes --
for (const [name, viewport] of Object.entries({ small: SMALL, large: LARGE })) {
  const page = await open(viewport);
  seen.sizes[name] = await measure(page);
  await page.context().close();
}

// -- keys, plans, notes, overview --
{
  const page = await open(SMALL);
  seen.keys.first = await shown(page);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  seen.keys.third = [await hash(page), await shown(page)];
  await page.keyboard.press('PageUp');
  seen.keys.back = await hash(page);
  await page.keyboard.press('ArrowDown');
  seen.keys.part = await hash(page);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowUp');
  seen.keys.begin = await hash(page);
  await page.keyboard.press('End');
  seen.keys.end = await page.textContent('.here .number');
  seen.keys.told = await page.textContent('#place');
  await page.keyboard.press('ArrowRight');
  seen.keys.stays = await page.textContent('.here .number');
  await page.goto(`${PAGE}#client/3`);
  seen.keys.deep = await shown(page);
  await page.keyboard.press('n');
  seen.keys.notes = await page.locator('.here .notes').isVisible();
  await page.keyboard.press('n');
  seen.keys.without = await page.locator('.here .notes').isVisible();
  await page.keyboard.press('o');
  seen.keys.overview = (await shown(page)).length;
  await page.click('[id="cap/1"]');
  seen.keys.chosen = [await hash(page), await shown(page)];
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  seen.keys.light = await paper();
  await page.keyboard.press('t');
  seen.keys.dark = await paper();
  await page.keyboard.press('?');
  seen.keys.help = await page.locator('#keys').isVisible();
  await page.keyboard.press('Escape');
  await page.goto(`${PAGE}#no-such/1`);
  seen.keys.unknown = await shown(page);

  await page.goto(PAGE);
  await page.click('.opening nav a:nth-child(2)');
  await page.waitForLoadState();
  seen.plans.query = await page.evaluate(() => location.search);
  await page.keyboard.press('End');
  seen.plans.end = [await hash(page), await page.textContent('.here .number')];
  seen.plans.parts = await page.evaluate(() => [
    ...new Set(
      [...document.querySelectorAll('.frame:not([hidden])')].map((f) => f.dataset.part ?? ''),
    ),
  ]);
  await page.context().close();
}

// -- the speaker's window --
{
  const page = await open(SMALL, '?plan=90-minutes#task/2');
  const [speaker] = await Promise.all([page.waitForEvent('popup'), page.keyboard.press('s')]);
  await speaker.waitForLoadState();
  seen.speaker.shown = await shown(speaker);
  seen.speaker.notes = await speaker.locator('.here .notes').isVisible();
  seen.speaker.planned = await speaker.textContent('#planned');
  await speaker.keyboard.press('ArrowRight');
  await page.waitForFunction(() => location.hash === '#task/3');
  await page.keyboard.press('ArrowDown');
  await speaker.waitForFunction(() => location.hash === '#contract/1');
  seen.speaker.followed = [await hash(page), await hash(speaker)];
  await speaker.waitForFunction(() => document.querySelector('#elapsed').textContent !== '0:00');
  seen.speaker.next = await speaker.textContent('#planned');
  await speaker.screenshot({ path: join(pictures, 'speaker.png') });
  await page.context().close();
}

// -- paper, phone, without script --
{
  const page = await open(SMALL, '?plan=90-minutes');
  seen.slides = await page.evaluate(() => document.querySelectorAll('.frame:not([hidden])').length);
  const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
  seen.pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g).length;
  await page.setViewportSize(PHONE);
  // the page hears of its new width later
  await page.waitForFunction(() => !document.documentElement.classList.contains('deck'));
  seen.phone = await page.evaluate(() => ({
    shown: [...document.querySelectorAll('.frame')].filter((f) => f.offsetHeight).length,
    width: document.documentElement.scrollWidth,
  }));
  await page.context().close();
  const context = await browser.newContext({ viewport: SMALL, javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(PAGE);
  seen.withoutScript = {
    slides: await plain.locator('.slide:visible').count(),
    notes: await plain.locator('.notes:visible').count(),
  };
  await context.close();
}

// -- contrast and labels --
{
  const page = await open(SMALL, '', { forAxe: true });
  await page.addScriptTag({ content: AXE });
  for (const [name, colorScheme, place] of [
    ['opening', 'dark', '#start'],
    ['code', 'light', '#task/5'],
    ['dark', 'dark', '#task/5'],
    ['table', 'dark', '#exercise/4'],
    ['plot', 'light', '#client/3'],
    ['printed', 'dark', '#raw-text/2'],
    ['words', 'light', '#task/2'],
  ]) {
    await page.emulateMedia({ colorScheme });
    await page.goto(PAGE + place);
    await page.screenshot({ path: join(pictures, `${name}.png`) });
    seen.axe[name] = await judge(page);
  }
  await page.goto(`${PAGE}#client/3`);
  await page.keyboard.press('o');
  seen.axe.overview = await judge(page);
  await page.context().close();
}

await browser.close();
console.log(JSON.stringify(seen));
