// Views, languages, search and keys of the stone. Without this script the page shows everything.
'use strict';
{
  const root = document.documentElement;
  const $ = (selector) => document.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const LANGUAGES = all('#languages button').map((button) => button.dataset.language);
  const LEAST = 2;
  const phone = matchMedia('(max-width: 720px)');

  // A page of a file may have no storage.
  const stored = {
    get(name) {
      try {
        return localStorage.getItem(`stone-${name}`);
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        localStorage.setItem(`stone-${name}`, value);
      } catch {
        // the choice holds for this page only
      }
    },
  };

  // -- languages: two to four columns, or one with tabs on a phone --

  const asked =
    new URLSearchParams(location.search).get('languages') ?? stored.get('languages') ?? '';
  let chosen = LANGUAGES.filter((each) => asked.split(',').includes(each));
  if (chosen.length < LEAST) chosen = innerWidth > 1200 ? [...LANGUAGES] : ['python', 'go'];
  let current = chosen[0];

  const showLanguages = () => {
    const shown = phone.matches ? [current] : chosen;
    root.style.setProperty('--columns', String(shown.length));
    for (const language of LANGUAGES) {
      const isShown = shown.includes(language);
      for (const cell of all(`.cell.${language}:not(.fixed)`)) cell.hidden = !isShown;
      $(`#languages [data-language=${language}]`).setAttribute('aria-pressed', String(isShown));
    }
  };

  const toggle = (language) => {
    const piece = atTop();
    if (phone.matches) current = language;
    else if (!chosen.includes(language))
      chosen = LANGUAGES.filter((each) => each === language || chosen.includes(each));
    else if (chosen.length > LEAST) chosen = chosen.filter((each) => each !== language);
    stored.set('languages', chosen.join());
    showLanguages();
    piece?.scrollIntoView(); // the rows have other heights now
  };

  // -- views and places --

  const views = all('.view');
  const lessons = all('.lesson');
  const pieces = all('.piece');
  const steps = all('.step');

  /** Of what stays at the top; on a phone, a part of the bar scrolls away. */
  const barHeight = () =>
    $('#bar').offsetHeight + Number.parseFloat(getComputedStyle($('#bar')).top);
  const measureBar = () => root.style.setProperty('--bar', `${barHeight()}px`);

  /** The piece that is being read: the last one that begins above the middle of the upper half. */
  const atTop = () =>
    pieces.findLast(
      (each) => each.getBoundingClientRect().top < barHeight() + 120 && each.offsetParent,
    );

  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1)) || 'top';
    const target = document.getElementById(id) ?? $('#top');
    const view = target.closest('.view') ?? $('#stone');
    const lesson = target.closest('.lesson');
    for (const each of views) each.hidden = each !== view;
    for (const each of lessons) each.hidden = each !== lesson;
    $('#lessons .opening').hidden = lesson !== null;
    $('#steps').hidden = $('#clauses').hidden = view.id !== 'stone';
    $('#languages').hidden = view.id === 'contract';
    for (const link of all('#views a'))
      if (link.hash === `#${view.id}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    measureBar();
    if (target.matches('.view, .lesson, #top')) scrollTo(0, 0);
    else target.scrollIntoView();
    if (target.tabIndex === -1 && target.id !== 'main') target.focus({ preventScroll: true });
    markStep();
  };

  const markStep = () => {
    const step = steps.findLast((each) => each.getBoundingClientRect().top < barHeight() + 160);
    for (const link of all('#steps a'))
      if (link.hash === `#${step?.id}`) {
        if (link.getAttribute('aria-current')) continue;
        link.setAttribute('aria-current', 'true');
        const list = link.closest('ol');
        list.scrollTo({ left: link.offsetLeft - list.clientWidth / 2 });
      } else link.removeAttribute('aria-current');
  };

  const go = (id) => {
    location.hash = id;
    show(); // "hashchange" comes later, perhaps after the next key
  };

  /** The next element of a list, or the one before, by what is at the top. */
  const goNext = (list, by) => {
    if ($('#stone').hidden) return;
    const top = barHeight() + 40;
    const tops = list.map((each) => each.getBoundingClientRect().top);
    const at = tops.findLastIndex((each) => each < top);
    const isInside = at >= 0 && tops[at] < barHeight() - 40;
    const next = list[by > 0 ? at + 1 : isInside ? at : at - 1];
    if (next) go(next.id);
    else if (by < 0) go('top');
  };

  // -- search --

  const clean = (text) => text.replace(/\s+/g, ' ').trim();
  /** @type {{kind: string, id: string, title: string, lines: [string, string][]}[] | undefined} */
  let index;

  const makeIndex = () => [
    ...pieces.map((piece) => ({
      kind: piece.id,
      id: piece.id,
      title: clean(piece.querySelector('h3').textContent),
      lines: [
        ['', clean(piece.querySelector('.note > p').textContent)],
        ...all('.cell', piece).flatMap((cell) =>
          all('.l', cell).map((line) => [cell.getAttribute('aria-label'), clean(line.textContent)]),
        ),
      ],
    })),
    ...all('#contract [id^="contract/"]').map((clause) => ({
      kind: 'clause',
      id: clause.id,
      title: `${clause.id.slice(9)} ${clean(clause.textContent).slice(0, 90)}`,
      lines: [['', clean(clause.textContent)]],
    })),
    ...lessons.map((lesson) => ({
      kind: 'lesson',
      id: lesson.id,
      title: clean(lesson.querySelector('h1').textContent),
      lines: all('p, li, h2, td', lesson).map((each) => ['', clean(each.textContent)]),
    })),
  ];

  const find = (query) => {
    index ??= makeIndex();
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (text) => words.every((word) => text.toLowerCase().includes(word));
    const found = [];
    for (const each of index) {
      const name = `${each.kind} ${each.title}`;
      const line = each.lines.find(([, text]) => holds(text));
      if (holds(name)) found.push({ each, line, rank: 0 });
      else if (line) found.push({ each, line, rank: 1 });
    }
    return found.sort((a, b) => a.rank - b.rank).slice(0, 60);
  };

  const showResults = () => {
    const query = $('#query').value.trim();
    const found = query.length < 2 ? [] : find(query);
    $('#results').hidden = query.length < 2;
    $('#count').textContent = found.length === 1 ? '1 result' : `${found.length || 'No'} results`;
    const items = found.map(({ each, line }) => {
      const item = document.createElement('li');
      const link = item.appendChild(document.createElement('a'));
      link.href = `#${each.id}`;
      link.append(each.title);
      const context = link.appendChild(document.createElement('small'));
      const [language, text] = line ?? ['', ''];
      context.append([each.kind, language, text].filter(Boolean).join(' · ').slice(0, 160));
      return item;
    });
    $('#results ul').replaceChildren(...items);
  };

  /** Marks what was looked for in the place that was found. */
  const markFound = (query, target) => {
    const { highlights } = CSS;
    if (!highlights || !target) return;
    highlights.delete('found');
    const words = query
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word.length > 1);
    const walker = document.createTreeWalker(target, NodeFilter.SHOW_TEXT);
    const ranges = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const text = node.data.toLowerCase();
      for (const word of words)
        for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + word.length);
          ranges.push(range);
        }
    }
    highlights.set('found', new Highlight(...ranges));
  };

  const closeResults = () => {
    $('#results').hidden = true;
  };

  const openResult = (link) => {
    const id = decodeURIComponent(link.hash.slice(1));
    markFound($('#query').value, document.getElementById(id));
    closeResults();
    go(id);
  };

  /** Arrow keys walk from the field through the results. */
  const walkResults = (event) => {
    const stops = [$('#query'), ...all('#results a')];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') {
      closeResults();
      $('#query').focus();
    } else if (by) {
      event.preventDefault();
      stops[stops.indexOf(document.activeElement) + by]?.focus();
    } else if (event.key === 'Enter' && event.target === $('#query') && stops[1])
      openResult(stops[1]);
  };

  // -- clauses, colours, help --

  const showClauses = (isShown) => {
    for (const each of all('.contract')) each.open = isShown;
    $('#clauses').setAttribute('aria-pressed', String(isShown));
    stored.set('clauses', String(isShown));
  };
  const areClausesShown = () => $('#clauses').getAttribute('aria-pressed') === 'true';

  const setTheme = (theme) => {
    root.dataset.theme = theme;
    stored.set('theme', theme);
  };
  const otherTheme = () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    return isDark ? 'light' : 'dark';
  };

  const toggleClauses = () => {
    const piece = atTop();
    showClauses(!areClausesShown());
    piece?.scrollIntoView();
  };

  const KEYS = {
    j: () => goNext(pieces, 1),
    k: () => goNext(pieces, -1),
    n: () => goNext(steps, 1),
    p: () => goNext(steps, -1),
    c: toggleClauses,
    t: () => setTheme(otherTheme()),
    '/': () => $('#query').focus(),
    '?': () => $('#keys').showModal(),
  };
  LANGUAGES.forEach((language, place) => {
    KEYS[place + 1] = () => toggle(language);
  });

  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('#keys').open) return;
    if (event.target.closest('#search')) return;
    const act = KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  for (const button of all('#languages button'))
    button.addEventListener('click', () => toggle(button.dataset.language));
  $('#clauses').addEventListener('click', toggleClauses);
  $('#theme').addEventListener('click', KEYS.t);
  $('#help').addEventListener('click', KEYS['?']);
  $('#query').addEventListener('input', showResults);
  $('#query').addEventListener('focus', showResults);
  $('#search').addEventListener('keydown', walkResults);
  $('#results').addEventListener('click', (event) => {
    const link = event.target.closest('a');
    if (!link) return;
    event.preventDefault();
    openResult(link);
  });
  addEventListener('pointerdown', (event) => {
    if (!event.target.closest('#search')) closeResults();
  });
  addEventListener('hashchange', show);
  // a click on the present place goes there again
  addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) show();
  });
  let isWaiting = false;
  addEventListener('scroll', () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      markStep();
    });
  });
  addEventListener('resize', measureBar);
  phone.addEventListener('change', showLanguages);

  root.classList.add('js');
  for (const each of ['search', 'languages', 'tools']) $(`#${each}`).hidden = false;
  const theme = stored.get('theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  showLanguages();
  if (stored.get('clauses') === 'true') showClauses(true);
  show();
}
