// The page: opens conversations, sends, and connects everything.

import * as api from './api.js';
import { edit, editing, fill, grow, stopEditing } from './box.js';
import { ask, drawHelp } from './dialogs.js';
import { $, copy, h, icon } from './dom.js';
import { t } from './i18n.js';
import * as list from './list.js';
import * as reply from './reply.js';
import { keep, sampling, setUp as setUpSettings, settings } from './settings.js';
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
  fail(error instanceof api.ServerError ? error.message : error instanceof TypeError ? t('offline') : String(error));
  $('give-key').hidden = error.status !== 401;
}

// Opening

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
  if (thread.tree?.conversation.id !== id || reply.isRunning()) return;
  const tree = await api.conversation(id).catch(() => null);
  if (tree && thread.tree?.conversation.id === id) {
    fail(null);
    thread.show(tree);
    about();
  }
  follow();
}

/** Takes over what the terminal or another tab has added to the conversation since it was shown. */
async function catchUp() {
  const { id, leaf } = thread.tree.conversation;
  const now = await api.conversation(id);
  if (thread.tree?.conversation.id !== id || thread.tree.conversation.leaf !== leaf || now.conversation.leaf === leaf) return;
  thread.show(now);
  about();
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

function figures() {
  const last = thread.path().findLast((message) => message.usage);
  const { prompt_tokens = 0, completion_tokens = 0, seconds } = last?.usage ?? {};
  const window_ = models.find(({ id }) => id === (last?.model ?? $('model').value))?.context;
  $('speed').textContent = last && seconds > 0 && completion_tokens > 1 ? t('speed', ((completion_tokens - 1) / seconds).toFixed(0)) : '';
  const used = prompt_tokens + completion_tokens;
  $('context').textContent = !last ? '' : window_ ? t('context', used, window_) : t('contextOnly', used);
  const leftOut = thread.path().findLast((message) => message.role === 'assistant')?.left_out ?? 0;
  $('left-out').textContent = leftOut === 0 ? '' : t('leftOut', leftOut);
}

// Sending

const send = guard(async () => {
  const text = $('prompt').value;
  if (!text.trim()) return;
  if (reply.isRunning()) return fail(t('busy'));
  if (!models.length) await load();
  if (!models.length) return;
  const edited = editing();
  let created = false;
  if (!thread.tree) {
    const conversation = await api.create({ persona: settings.persona || null });
    thread.show({ conversation, messages: [] });
    history.pushState(null, '', `#${conversation.id}`);
    created = true;
  }
  if (edited) stopEditing();
  else fill('');
  if (!edited && !created) await catchUp().catch(() => {});
  const parent = edited ? edited.parent : thread.tree.conversation.leaf;
  const started = await generate({ parent, text });
  // Nothing was stored: the person has the text back, and no empty conversation stays.
  if (!started && created && thread.tree && !thread.tree.messages.length) {
    await api.remove(thread.tree.conversation.id).catch(() => {});
    history.replaceState(null, '', location.pathname);
    thread.show(null);
    list.mark(null);
    list.refresh().catch(() => {});
  }
  if (!started && edited) edit(edited, text);
  else if (!started && !$('prompt').value) fill(text);
  if (created) about();
});

/** Asks for a reply; false when the server refused it and stored nothing. */
async function generate(request) {
  const { id } = thread.tree.conversation;
  running(true);
  try {
    // A new conversation is in the list while its first reply is written.
    await reply.run(id, { model: $('model').value, ...sampling(), ...request }, () => list.refresh().catch(() => {}));
    return true;
  } catch (error) {
    if (!removed.has(id)) failBy(error);
    // What the server kept of it.
    if (thread.tree?.conversation.id === id) thread.show(await api.conversation(id).catch(() => thread.tree));
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
  await generate({ parent: message.parent });
});

thread.actions.branch = guard(async (message) => {
  if (reply.isRunning()) return fail(t('busy'));
  const { leaf } = await api.select(thread.tree.conversation.id, message);
  thread.tree.conversation.leaf = leaf;
  thread.draw();
  figures();
});

thread.actions.rate = guard((message, verdict) => rate(message, { verdict, better: message.rating?.better ?? null }));

thread.actions.better = guard(async (message) => {
  const value = message.rating?.better ?? thread.textOf(message);
  const better = await ask({ title: t('betterTitle'), text: t('betterText'), ok: t('save'), field: 'lines', value });
  if (better !== null) await rate(message, { verdict: message.rating?.verdict ?? null, better });
});

async function rate(message, rating) {
  const { rating: stored } = await api.rate(message.id, rating);
  message.rating = stored;
  thread.draw();
}

// Files

const exportOpen = guard(async () => {
  const { conversation } = thread.tree;
  const file = await api.exported(conversation.id);
  const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2)], { type: 'application/json' }));
  const name = (conversation.title || 'conversation').replace(/[^\p{L}\p{N} _-]/gu, '').trim().slice(0, 60) || 'conversation';
  h('a', { href: url, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
});

const importFile = guard(async (event) => {
  const [file] = event.target.files;
  event.target.value = '';
  $('settings').close();
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    return fail(t('badFile'));
  }
  const conversation = await api.imported(content);
  await list.refresh();
  await open(conversation.id);
  $('announce').textContent = t('imported');
});

// The page

function onKey(event) {
  const typing = event.target.matches('input, textarea, select');
  const alt = event.altKey && !event.ctrlKey && !event.metaKey;
  const does = (work) => {
    event.preventDefault();
    work();
  };
  if (document.querySelector('dialog[open]')) return;
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
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send();
    }
  });
  $('prompt').addEventListener('input', grow);
  $('stop').addEventListener('click', guard(reply.stop));
  $('new').addEventListener('click', startNew);
  $('stop-editing').addEventListener('click', () => { stopEditing(); $('prompt').focus(); });
  $('give-key').addEventListener('click', () => load());
  $('export').addEventListener('click', exportOpen);
  $('import').addEventListener('change', importFile);
  $('open-settings').addEventListener('click', () => { sidebar.uncover(); $('sign-out').hidden = !api.hasKey(); $('settings').showModal(); });
  $('open-help').addEventListener('click', () => { sidebar.uncover(); $('help').showModal(); });
  $('sign-out').addEventListener('click', () => { api.forgetKey(); location.reload(); });
  $('model').addEventListener('change', () => { settings.model = $('model').value; keep(); figures(); });
  $('persona').addEventListener('change', guard(async () => {
    const persona = $('persona').value;
    if (thread.tree) thread.tree.conversation = await api.change(thread.tree.conversation.id, { persona });
    else { settings.persona = persona; keep(); }
  }));
  document.addEventListener('keydown', onKey);
  addEventListener('popstate', () => open(location.hash.slice(1) || null));
  addEventListener('focus', comeBack);
  document.addEventListener('visibilitychange', comeBack);
  sidebar.setUp();
}

/** What the page needs of the server: the models, the list, and the conversation of the address. */
const load = guard(async () => {
  let run;
  ({ models, run } = await api.models());
  $('watch').hidden = !run;
  $('model').replaceChildren(...models.map(({ id }) => h('option', { value: id }, id)));
  chooseModel(settings.model);
  await list.refresh();
  if (location.hash.length > 1) await open(location.hash.slice(1));
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
      if (thread.tree?.conversation.id === id) startNew();
    },
    renamed(id, title) { if (thread.tree?.conversation.id === id) { thread.tree.conversation.title = title; about(); } },
  });
  about();
  await load();
  $('prompt').focus();
}

begin();
