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
let query = 0;

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

/** Reloads the list. */
export async function refresh() {
  const mine = ++query;
  const page = await api.conversations($('search').value.trim());
  if (mine !== query) return;
  shown = page.conversations;
  more = page.has_more;
  draw();
}

async function loadMore() {
  const page = await api.conversations($('search').value.trim(), shown.at(-1).id);
  shown = shown.concat(page.conversations);
  more = page.has_more;
  draw();
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
  $('list').replaceChildren(...parts);
  mark(current);
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
    const sure = await ask({ title: t('deleteSure'), text: `“${title}”. ${t('deleteText')}`, ok: t('delete'), danger: true });
    if (sure === null) return;
    await api.remove(conversation.id);
    handlers.removed(conversation.id);
    await refresh();
  }));
  return h('li', { class: 'conversation', 'data-id': conversation.id }, link, rename, bin);
}
