// The page: opens conversations, sends, and connects everything.

import * as api from './api.js';
import { edit, editing, fill, restore, stopEditing, typed } from './box.js';
import { ask, drawHelp } from './dialogs.js';
import { $, copy, h, icon } from './dom.js';
import * as files from './files.js';
import { t } from './i18n.js';
import * as list from './list.js';
import * as reply from './reply.js';
import { keep, sampling, setModel, setUp as setUpSettings, settings } from './settings.js';
import * as sidebar from './sidebar.js';
import * as thread from './thread.js';

let models = [];
/** Conversations that were deleted on this page, with whose replies it is not concerned. */
const removed = new Set();

const guard = (work) => async (...args) => {
  try {
    fail(null);
    return await work(...args);
  } catch (error) {
    failBy(error);
  }
};

function fail(words) {
  $('error').hidden = words === null;
  $('error').textContent = words ?? '';
  $('give-key').hidden = true;
}

/** Says what went wrong; where a key is missing, a button asks for it again. */
function failBy(error) {
  const words = error instanceof api.ServerError ? error.message : error instanceof TypeError ? t('offline') : String(error);
  fail(error.status === 401 ? t('keyNeeded') : words);
  $('give-key').hidden = error.status !== 401;
}

// Opening

/** The conversation that the address names, or null. */
const addressed = () => (location.hash.startsWith('#conv_') ? location.hash.slice(1) : null);

const isOpen = (id) => thread.tree?.conversation.id === id;

const open = guard(async (id) => {
  stopEditing();
  leave.abort();
  if (id === null) {
    thread.show(null);
    chooseModel(settings.model);
  } else {
    thread.show(await api.conversation(id));
    chooseModel(thread.path().findLast((message) => message.role === 'assistant' && message.model)?.model);
    if (location.hash.slice(1) !== id) history.pushState(null, '', `#${id}`);
  }
  list.mark(id);
  sidebar.uncover();
  about();
  reply.stick(true);
  follow();
});

/** Chooses the model of this name, if it is served. */
function chooseModel(name) {
  if (models.some(({ id }) => id === name)) $('model').value = name;
  modelChanged();
}

/** Shows what the chosen model uses by itself, and what it can be asked. */
function modelChanged() {
  const model = models.find(({ id }) => id === $('model').value);
  setModel(model?.defaults);
  const ask = (text) => () => {
    fill(text);
    send();
    $('prompt').focus();
  };
  const buttons = (model?.suggestions ?? []).map((text) => h('button', { type: 'button', class: 'plain', dir: 'auto', onclick: ask(text) }, text));
  $('suggestions').replaceChildren(...buttons);
  $('suggestions').hidden = !buttons.length;
}

let leave = new AbortController();

/** Shows a reply that was asked for before this page was loaded, or in another tab, until it ends. */
async function follow() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { id } = thread.tree?.conversation ?? {};
  const last = thread.path().at(-1);
  if (!id || reply.isRunning() || last?.status !== 'in_progress') return;
  running(true);
  try {
    await reply.follow(id, last.id, signal);
  } catch (error) {
    if (error instanceof api.ServerError && error.status === 500) fail(error.message);
    // Another server writes it, or the connection broke: what is stored of it is asked for until it ends.
    if (!signal.aborted) setTimeout(() => { if (!signal.aborted) askAgain(id); }, 2000);
  } finally {
    if (!reply.isRunning()) running(false);
    if (!signal.aborted) about();
  }
}

async function askAgain(id) {
  if (!isOpen(id) || reply.isRunning()) return;
  const tree = await api.conversation(id).catch(() => null);
  if (tree && isOpen(id)) {
    fail(null);
    thread.show(tree);
    about();
  }
  follow();
}

/** Takes over what the terminal or another tab has added to the conversation since it was shown; gives its leaf. */
async function catchUp() {
  const { id, leaf } = thread.tree.conversation;
  const now = await api.conversation(id);
  if (!isOpen(id) || now.conversation.leaf === leaf) return leaf;
  if (thread.tree.conversation.leaf !== leaf) return thread.tree.conversation.leaf;
  thread.show(now);
  about();
  return now.conversation.leaf;
}

/** The same when the person comes back to the page. */
async function comeBack() {
  if (document.hidden || !models.length || !thread.tree || reply.isRunning() || editing()) return;
  await catchUp().catch(() => {});
  list.refresh().catch(() => {});
  follow();
}

function startNew() {
  history.pushState(null, '', location.pathname);
  open(null);
  $('prompt').focus();
}

/** Everything that depends on which conversation is open. */
function about() {
  const conversation = thread.tree?.conversation;
  const title = conversation?.title || t('untitled');
  $('title').textContent = title;
  document.title = conversation ? `${title} · Fireclay` : 'Fireclay';
  $('export').hidden = !conversation;
  drawPersonas();
  figures();
  running(reply.isRunning());
}

function drawPersonas() {
  const conversation = thread.tree?.conversation;
  const current = conversation ? conversation.persona ?? '' : settings.persona;
  const options = [['', t('noPersona')], ...settings.personas.filter(({ text }) => text).map(({ name, text }) => [text, name || text.slice(0, 30)])];
  if (!options.some(([text]) => text === current)) options.push([current, t('ownPersona')]);
  $('persona').replaceChildren(...options.map(([text, name]) => h('option', { value: text }, name)));
  $('persona').value = current;
}

const figures = () => reply.figures(models);

// Sending

let sending = false;

const send = guard(async () => {
  const text = $('prompt').value;
  if (!text.trim()) return;
  if (reply.isRunning()) return fail(t('busy'));
  // The message is on its way already.
  if (sending) return;
  sending = true;
  const edited = editing();
  let started = false;
  try {
    started = await sent(text, edited);
  } finally {
    sending = false;
    // Nothing was stored: the person has the text back.
    if (!started && edited) edit(edited, text);
    else if (!started && !$('prompt').value) fill(text);
  }
});

/** Sends to the conversation that is open now, whatever is open later; false when nothing was stored. */
async function sent(text, edited) {
  if (!models.length) await load();
  if (!models.length) return false;
  const open_ = thread.tree?.conversation;
  if (edited) stopEditing();
  else fill('');
  const conversation = open_ ?? await api.create({ persona: settings.persona || null });
  const { id } = conversation;
  if (!open_ && !thread.tree) {
    thread.show({ conversation, messages: [] });
    history.pushState(null, '', `#${id}`);
  }
  let parent = edited ? edited.parent : conversation.leaf;
  if (!edited && open_) parent = await catchUp().catch(() => parent);
  const started = await generate(id, { parent, text });
  // Meanwhile the next message could not be sent.
  if (!open_ && !started) await tidy(id);
  return started;
}

/** Deletes a new conversation in which nothing was stored. */
async function tidy(id) {
  const now = await api.conversation(id).catch(() => null);
  if (now && !now.messages.length) {
    await api.remove(id).catch(() => {});
    if (isOpen(id)) {
      history.replaceState(null, '', location.pathname);
      thread.show(null);
      list.mark(null);
    }
    list.refresh().catch(() => {});
  }
  about();
}

/** Asks for a reply; false when the server refused it and stored nothing. */
async function generate(id, request) {
  running(true);
  try {
    // A new conversation is in the list while its first reply is written.
    await reply.run(id, { model: $('model').value, ...sampling(), ...request }, () => list.refresh().catch(() => {}));
    return true;
  } catch (error) {
    if (!removed.has(id)) failBy(error);
    // What the server kept of it.
    const now = isOpen(id) ? await api.conversation(id).catch(() => null) : null;
    if (now && isOpen(id)) thread.show(now);
    return error.began;
  } finally {
    running(false);
    about();
    list.mark(thread.tree?.conversation.id ?? null);
    list.refresh().catch(() => {});
    follow();
  }
}

function running(is) {
  $('send').hidden = is;
  $('stop').hidden = !is;
}

// Messages

thread.actions.edit = (message) => edit(message, thread.textOf(message));

thread.actions.again = guard(async (message) => {
  if (reply.isRunning()) return fail(t('busy'));
  await generate(thread.tree.conversation.id, { parent: message.parent });
});

thread.actions.branch = guard(async (message) => {
  if (reply.isRunning()) return fail(t('busy'));
  const { leaf } = await api.select(thread.tree.conversation.id, message);
  thread.tree.conversation.leaf = leaf;
  thread.draw();
  figures();
});

thread.actions.rate = guard((message, verdict) => rate(message, { verdict }));

thread.actions.better = guard(async (message) => {
  const { better: earlier } = message.rating ?? {};
  const value = earlier ?? thread.textOf(message);
  const none = earlier ? t('delete') : null;
  const better = await ask({ title: t('betterTitle'), text: t('betterText'), ok: t('save'), field: 'lines', value, none });
  if (better !== null) await rate(message, { better: better || null });
});

/** Changes a part of a rating; another tab may have changed another. */
async function rate({ id }, change) {
  const { rating } = await api.rate(id, change);
  const message = thread.tree?.messages.find((shown) => shown.id === id);
  if (message) message.rating = rating;
  thread.draw();
}

// The page

function onKey(event) {
  const typing = event.target.matches('input, textarea, select');
  const alt = event.altKey && !event.ctrlKey && !event.metaKey;
  const does = (work) => {
    event.preventDefault();
    work();
  };
  if (document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape' && sidebar.covers()) return does(() => { sidebar.uncover(); $('toggle').focus(); });
  if (event.key === 'Escape' && reply.isRunning()) return does(guard(reply.stop));
  if (event.key === 'Escape' && editing()) return does(stopEditing);
  if (alt && event.code === 'KeyN') return does(startNew);
  if (alt && event.code === 'KeyK') return does(() => { sidebar.show(true); $('search').select(); });
  if (alt && event.code === 'KeyB') return does(() => sidebar.show(!sidebar.isShown()));
  if (alt && event.code === 'KeyC') return does(copyLast);
  if (event.key === 'ArrowUp' && event.target === $('prompt') && !$('prompt').value) return editLast(does);
  if (typing) return;
  if (event.key === '/') return does(() => $('prompt').focus());
  if (event.key === '?') return does(() => $('help').showModal());
}

function editLast(does) {
  const last = thread.path().findLast((message) => message.role === 'user');
  if (last) does(() => thread.actions.edit(last));
}

function copyLast() {
  const last = thread.path().findLast((message) => message.role === 'assistant');
  const button = last && document.querySelector(`#m-${last.id} .tools [aria-label="${t('copy')}"]`);
  if (button) copy(thread.textOf(last), button);
}

function wordsChanged() {
  drawHelp();
  list.draw();
  thread.draw();
  about();
}

function connect() {
  for (const button of document.querySelectorAll('[data-icon]')) button.prepend(icon(button.dataset.icon));
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  $('prompt').addEventListener('keydown', (event) => {
    // 229: the key is an input method's, also where the composition has just ended.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
      event.preventDefault();
      send();
    }
  });
  $('prompt').addEventListener('input', typed);
  document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); $('prompt').focus(); });
  $('stop').addEventListener('click', guard(reply.stop));
  $('new').addEventListener('click', startNew);
  $('stop-editing').addEventListener('click', () => { stopEditing(); $('prompt').focus(); });
  $('give-key').addEventListener('click', () => load());
  $('export').addEventListener('click', guard(() => files.save(thread.tree.conversation)));
  $('import').addEventListener('change', guard((event) => files.take(event, open, fail)));
  $('open-settings').addEventListener('click', () => { sidebar.uncover(); $('sign-out').hidden = !api.hasKey(); $('settings').showModal(); });
  $('open-help').addEventListener('click', () => { sidebar.uncover(); $('help').showModal(); });
  $('sign-out').addEventListener('click', () => { api.forgetKey(); location.reload(); });
  $('model').addEventListener('change', () => { settings.model = $('model').value; keep(); modelChanged(); figures(); });
  $('persona').addEventListener('change', guard(async () => {
    const persona = $('persona').value;
    if (thread.tree) thread.tree.conversation = await api.change(thread.tree.conversation.id, { persona });
    else { settings.persona = persona; keep(); }
  }));
  document.addEventListener('keydown', onKey);
  addEventListener('popstate', () => open(addressed()));
  addEventListener('focus', comeBack);
  document.addEventListener('visibilitychange', comeBack);
  sidebar.setUp();
}

/** What the page needs of the server: the models, the list, and the conversation of the address. */
const load = guard(async () => {
  // A message may be sent before the list is here: its conversation is shown already.
  const id = addressed();
  let run;
  ({ models, run } = await api.models());
  $('watch').hidden = !run;
  $('model').replaceChildren(...models.map(({ id }) => h('option', { value: id }, id)));
  chooseModel(settings.model);
  await list.refresh();
  if (id && id === addressed()) await open(id);
});

async function begin() {
  api.onKeyNeeded((refused) => ask({ title: t('keyTitle'), text: t(refused ? 'keyWrong' : 'keyText'), ok: t('signIn'), field: 'password' }));
  setUpSettings(wordsChanged);
  drawHelp();
  connect();
  list.setUp({
    open,
    guard,
    removed(id) {
      removed.add(id);
      if (isOpen(id)) startNew();
    },
    renamed(id, title) { if (isOpen(id)) { thread.tree.conversation.title = title; about(); } },
  });
  about();
  restore();
  await load();
  $('prompt').focus();
}

begin();
