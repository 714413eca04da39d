// The list of conversations.

import * as api from './api.js';
import { ask } from './dialogs.js';
import { $, h, iconButton } from './dom.js';
import { t } from './i18n.js';

let shown = [];
let more = false;
let current = null;
let handlers = { open() {}, removed() {}, renamed() {}, guard: (work) => work };
/** Characters that a title may have, as the server has it. */
const LONGEST_TITLE = 500;
/** Rows that the server gives at most at once. */
const MOST_ROWS = 200;
let query = 0;
let searched = '';

export function setUp(given) {
  handlers = given;
  let timer;
  $('search').addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(handlers.guard(refresh), 200);
  });
}

/** Marks the conversation that is open. */
export function mark(id) {
  current = id;
  for (const row of $('list').querySelectorAll('.conversation')) {
    const open = row.dataset.id === id;
    row.classList.toggle('current', open);
    if (open) row.querySelector('a').setAttribute('aria-current', 'page');
    else row.querySelector('a').removeAttribute('aria-current');
  }
}

/** Reloads as much of the list as there was. */
export async function refresh() {
  const mine = ++query;
  const search = $('search').value.trim();
  const wanted = search === searched ? shown.length : 0;
  let rows = [];
  let page;
  do {
    page = await api.conversations(search, rows.at(-1)?.id, Math.min(MOST_ROWS, Math.max(50, wanted - rows.length)));
    if (mine !== query) return;
    rows = rows.concat(page.conversations);
  } while (page.has_more && rows.length < wanted);
  [shown, more, searched] = [rows, page.has_more, search];
  draw();
}

async function loadMore() {
  const mine = ++query;
  const page = await api.conversations(searched, shown.at(-1).id);
  if (mine !== query) return;
  shown = shown.concat(page.conversations);
  more = page.has_more;
  draw();
}

/** Remembers which control of the list has the keyboard's focus; the result gives it back once the list is drawn again. */
function heldFocus() {
  const rows = () => [...$('list').querySelectorAll('.conversation')];
  const { activeElement } = document;
  if (!$('list').contains(activeElement)) return () => {};
  const before = rows();
  const held = activeElement.closest('.conversation');
  // The button for more stands after all rows.
  const place = held ? before.indexOf(held) : before.length;
  const control = held ? [...held.children].indexOf(activeElement) : 0;
  return () => {
    const now = rows();
    const row = now.find((other) => other.dataset.id === held?.dataset.id) ?? now[Math.min(place, now.length - 1)];
    (row?.children[control] ?? $('search')).focus({ preventScroll: row?.dataset.id === held?.dataset.id });
  };
}

export function draw() {
  const groups = new Map();
  const midnight = new Date().setHours(0, 0, 0, 0);
  for (const conversation of shown) {
    const age = conversation.updated >= midnight ? 'today' : conversation.updated >= midnight - 864e5 ? 'yesterday' : 'earlier';
    if (!groups.has(age)) groups.set(age, []);
    groups.get(age).push(row(conversation));
  }
  const parts = [...groups].map(([age, rows]) => h('section', {}, h('h2', {}, t(age)), h('ul', {}, ...rows)));
  if (!parts.length) parts.push(h('p', { class: 'hint' }, t($('search').value ? 'noneFound' : 'none')));
  if (more) parts.push(h('button', { type: 'button', class: 'plain', onclick: handlers.guard(loadMore) }, t('more')));
  const giveBack = heldFocus();
  $('list').replaceChildren(...parts);
  mark(current);
  giveBack();
}

function row(conversation) {
  const title = conversation.title || t('untitled');
  const link = h('a', { href: `#${conversation.id}`, title }, title);
  link.addEventListener('click', (event) => {
    event.preventDefault();
    handlers.open(conversation.id);
  });
  const rename = iconButton('pen', `${t('rename')}: ${title}`, handlers.guard(async () => {
    const wanted = await ask({ title: t('renameTitle'), ok: t('save'), field: 'text', value: conversation.title, longest: LONGEST_TITLE });
    if (wanted === null) return;
    await api.change(conversation.id, { title: wanted });
    handlers.renamed(conversation.id, wanted);
    await refresh();
  }));
  const bin = iconButton('bin', `${t('delete')}: ${title}`, handlers.guard(async () => {
    const sure = await ask({ title: t('deleteSure'), text: t('deleteText', title), ok: t('delete'), danger: true });
    if (sure === null) return;
    await api.remove(conversation.id);
    handlers.removed(conversation.id);
    await refresh();
  }));
  return h('li', { class: 'conversation', 'data-id': conversation.id }, link, rename, bin);
}
