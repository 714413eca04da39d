// A run while it trains: its report is asked for every few seconds, as long as somebody looks, and shown when it changed.

import { onKeyNeeded, report } from './api.js';

const EVERY = 5000;
const live = document.querySelector('#live');
const shown = document.querySelector('#report');
const back = document.querySelector('#back');
let tag = null;

// The page has no dialogs; the browser's is enough for one question.
onKeyNeeded(async (refused) => window.prompt(refused ? 'This API key was refused. Another one:' : 'API key:'));

const clock = () => new Date().toLocaleTimeString();

/** Shows a report. What was folded open stays open. */
function show({ name, html, waiting }) {
  document.title = `${name} – Fireclay`;
  if (html === undefined) {
    live.textContent = `${name}: ${waiting}`;
    shown.replaceChildren();
    return;
  }
  const title = (details) => `${details.closest('section')?.id} ${details.querySelector('summary').textContent}`;
  const open = new Set([...shown.querySelectorAll('details[open]')].map(title));
  // The server escapes what the run wrote; scripts would not run even so, by the page's policy.
  shown.innerHTML = html;
  for (const details of shown.querySelectorAll('details')) details.open = open.has(title(details));
}

async function refresh() {
  try {
    const answer = await report(tag);
    if (answer !== null) {
      tag = answer.tag;
      back.hidden = true;
      live.textContent = `Live; last change ${clock()}.`;
      show(answer.report);
    }
  } catch (error) {
    // Without a run there are models, and their page.
    back.hidden = error.status !== 404;
    live.textContent = `${error.message || 'The server does not answer'} (${clock()})`;
    tag = null;
  }
}

for (;;) {
  if (!document.hidden) await refresh();
  await new Promise((resolve) => setTimeout(resolve, EVERY));
}
