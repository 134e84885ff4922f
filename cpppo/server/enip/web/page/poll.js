// When the server is asked: once a second, one request after the other, not while nobody looks, more seldom while it
// does not answer.

import { Lost, Refused } from "./server.js";

const EVERY_MS = 1000;
const LEAST_MS = 200;
const LONGEST_MS = 15_000;

const seen = new Set();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) seen.delete(target);
      else if (!seen.has(target)) {
        seen.add(target);
        refresh();
      }
    }
  },
  { rootMargin: "100px" },
);

const tasks = [];
let hears = null;
let timer = 0;
let busy = false;
let again = false;
let stopped = false;
let failures = 0;

/** Do `task` in each round in which `element` can be seen; in each without one. */
export function polled(task, element = null) {
  tasks.push({ task, element });
  if (element !== null) observer.observe(element);
}

/** Begin.  `listener`: connected(), lost(why, seconds until the next try), token(). */
export function start(listener) {
  hears = listener;
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  refresh();
}

/** Ask now: something was changed, or shall be seen. */
export function refresh() {
  if (hears === null || stopped || document.hidden) return;
  if (busy) again = true;
  else round();
}

/** Go on after the token was given. */
export function resume() {
  stopped = false;
  refresh();
}

async function round() {
  clearTimeout(timer);
  busy = true;
  const begun = performance.now();
  let wait = EVERY_MS;
  try {
    do {
      again = false;
      for (const { task, element } of tasks) {
        if (element === null || seen.has(element)) await tried(task);
      }
    } while (again);
    failures = 0;
    hears.connected();
    wait = Math.max(EVERY_MS - (performance.now() - begun), LEAST_MS);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      stopped = true;
      hears.token();
    } else {
      if (!(error instanceof Lost || error instanceof Refused)) console.error(error); // a mistake of this page
      wait = Math.min(EVERY_MS * 2 ** failures++, LONGEST_MS);
      hears.lost(error.message, Math.round(wait / 1000));
    }
  }
  busy = false;
  if (!stopped && !document.hidden) timer = setTimeout(round, wait);
}

/** Whoever is too busy now is asked again in the next round. */
async function tried(task) {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof Refused && error.status === 503)) throw error;
  }
}
