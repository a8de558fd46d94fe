// One slide at a time, its notes, an overview, and a window for the speaker.
'use strict';
{
  const root = document.documentElement;
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const asked = new URLSearchParams(location.search);
  const plan = asked.get('plan') ?? '';
  const isSpeaker = asked.has('speaker');
  const minutes = JSON.parse($('#minutes').textContent)[plan] ?? {};
  const phone = matchMedia('(max-width: 720px)');

  const inPlan = (frame) => plan === '' || frame.dataset.plans.split(' ').includes(plan);
  const frames = all('.frame').filter(inPlan);
  for (const frame of all('.frame')) frame.hidden = !inPlan(frame);
  frames.forEach((frame, at) => {
    frame.querySelector('.number').textContent = `${at + 1} / ${frames.length}`;
  });
  for (const link of all('.opening nav a'))
    if (new URLSearchParams(link.search).get('plan') === (plan || null))
      link.setAttribute('aria-current', 'page');

  // -- the place --

  let at = 0;
  /** The window of the speaker, or the one that has opened this one. */
  let other = isSpeaker ? window.opener : null;

  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    at = Math.max(
      frames.findIndex((frame) => frame.id === id),
      0,
    );
    frames.forEach((frame, place) => {
      frame.classList.toggle('here', place === at);
      frame.classList.toggle('next', place === at + 1);
    });
    root.style.setProperty('--done', String((at + 1) / frames.length));
    const title = frames[at].querySelector('h2').textContent;
    $('#place').textContent = `Slide ${at + 1} of ${frames.length}: ${title}`;
    if (root.classList.contains('deck')) frames[at].querySelector('.slide').focus();
    else if (!isSpeaker) frames[at].scrollIntoView({ block: 'nearest' });
    showPlanned();
  };

  const goTo = (id) => {
    if (decodeURIComponent(location.hash.slice(1)) === id) return;
    location.hash = id;
    show(); // "hashchange" comes later, perhaps after the next key
    other?.postMessage({ id }, '*'); // both are this file; a file has no origin to name
  };
  const go = (by) => goTo(frames[Math.min(Math.max(at + by, 0), frames.length - 1)].id);
  const goPart = (by) => {
    const begins = frames.filter(
      (frame, place) => place === 0 || frame.dataset.part !== frames[place - 1].dataset.part,
    );
    const here = begins.findLastIndex((frame) => frames.indexOf(frame) <= at);
    const isInside = frames.indexOf(begins[here]) < at;
    const next = begins[by > 0 ? here + 1 : isInside ? here : here - 1];
    if (next) goTo(next.id);
  };

  // -- the speaker's window and its clock --

  const openSpeaker = () => {
    if (isSpeaker) return;
    const query = plan ? `?plan=${plan}&speaker` : '?speaker';
    const address = location.href.replace(/[?#].*/, '') + query + location.hash;
    other = window.open(address, 'speaker', 'popup,width=1200,height=800');
  };
  addEventListener('message', (event) => {
    if (event.source !== other || typeof event.data?.id !== 'string') return;
    location.hash = event.data.id;
  });

  let started = null;
  const clockText = (seconds) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
  const showElapsed = () => {
    $('#elapsed').textContent = clockText(started === null ? 0 : (Date.now() - started) / 1000);
  };
  const showPlanned = () => {
    const [from, to] = minutes[frames[at].dataset.part] ?? [];
    $('#planned').textContent = to === undefined ? '' : `this part: minute ${from} to ${to}`;
    if (at > 0) started ??= Date.now();
  };
  const resetClock = () => {
    started = at > 0 ? Date.now() : null;
    showElapsed();
  };

  // -- looks --

  const stored = {
    get() {
      try {
        return localStorage.getItem('slides-theme');
      } catch {
        return null; // a page of a file may have no storage
      }
    },
    set(theme) {
      try {
        localStorage.setItem('slides-theme', theme);
      } catch {
        // the choice holds for this page only
      }
    },
  };
  const otherTheme = () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = isDark ? 'light' : 'dark';
    stored.set(root.dataset.theme);
  };
  const isOverview = () => root.classList.contains('overview');
  const setOverview = (isOn) => {
    root.classList.toggle('overview', isOn);
    root.classList.toggle('deck', !isOn && !phone.matches);
    show();
  };

  const KEYS = {
    ArrowRight: () => go(1),
    ArrowLeft: () => go(-1),
    PageDown: () => go(1),
    PageUp: () => go(-1),
    ' ': () => go(1),
    ArrowDown: () => goPart(1),
    ArrowUp: () => goPart(-1),
    Home: () => goTo(frames[0].id),
    End: () => goTo(frames.at(-1).id),
    s: openSpeaker,
    n: () => root.classList.toggle('with-notes'),
    o: () => setOverview(!isOverview()),
    f: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
    b: () => root.classList.toggle('dark-screen'),
    t: otherTheme,
    '?': () => $('#keys').showModal(),
  };
  const IN_OVERVIEW = { Enter: () => setOverview(false), Escape: () => setOverview(false) };

  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('#keys').open) return;
    // a link and a button have keys of their own
    if (event.target.closest('a, button') && [' ', 'Enter'].includes(event.key)) return;
    const act = (isOverview() && IN_OVERVIEW[event.key]) || KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const button of all('#tools button'))
    button.addEventListener('click', () => KEYS[button.dataset.key]());
  $('#reset').addEventListener('click', resetClock);
  $('#deck').addEventListener('click', (event) => {
    const frame = event.target.closest('.frame');
    if (!isOverview() || !frame || event.target.closest('a')) return;
    goTo(frame.id);
    setOverview(false);
  });
  addEventListener('hashchange', show);
  phone.addEventListener('change', () => setOverview(false));

  const theme = stored.get();
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  $('#tools').hidden = isSpeaker;
  $('#clock').hidden = !isSpeaker;
  if (isSpeaker) {
    root.classList.add('speaker');
    setInterval(showElapsed, 500);
  } else root.classList.toggle('deck', !phone.matches);
  show();
}
