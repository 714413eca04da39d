// The messages of the open conversation: its tree, and the branch that is shown.

import { $, copy, h, icon, iconButton } from './dom.js';
import { t } from './i18n.js';

/** What a person can do with a message: set by main.js. */
export const actions = { edit() {}, again() {}, rate() {}, better() {}, branch() {} };

/** The open conversation as the server has it, or null. */
export let tree = null;

export function show(conversation) {
  tree = conversation;
  draw();
}

/** Adds messages or replaces those of the same id, and shows the branch that ends with the last. */
export function put(...messages) {
  for (const message of messages) {
    const index = tree.messages.findIndex((known) => known.id === message.id);
    if (index < 0) tree.messages.push(message);
    else tree.messages[index] = message;
  }
  tree.conversation.leaf = messages.at(-1).id;
  draw();
}

/** Notes how many exchanges at the beginning a reply leaves out. */
export function leftOut(id, exchanges) {
  const message = tree.messages.find((known) => known.id === id);
  if (message) message.left_out = exchanges;
}

/** The messages from the beginning to the leaf. */
export function path() {
  const byId = new Map(tree?.messages.map((message) => [message.id, message]));
  const found = [];
  for (let message = byId.get(tree?.conversation.leaf); message; message = byId.get(message.parent)) found.unshift(message);
  return found;
}

export function textOf(message) {
  return typeof message.content === 'string' ? message.content : message.content.map((part) => part.text ?? '').join('');
}

let drawn = new Map();

/** Draws the branch; what did not change keeps its elements, and with them selection and focus. */
export function draw() {
  const items = path().map((message) => {
    const state = JSON.stringify([message, siblings(message).map((one) => one.id), document.documentElement.lang]);
    const before = drawn.get(message.id);
    return [message.id, before?.state === state ? before : { state, element: item(message) }];
  });
  drawn = new Map(items);
  exchange($('thread'), items.map(([, { element }]) => element));
  $('welcome').hidden = items.length > 0;
}

/** Makes `elements` the children of a list. Those that were there stay in their places, and a button that is drawn again keeps the focus. */
function exchange(list, elements) {
  const focused = document.activeElement;
  const message = list.contains(focused) ? focused.closest('.message')?.id : null;
  const label = focused?.getAttribute('aria-label');
  const wanted = new Set(elements);
  elements.forEach((element, index) => {
    const there = list.children[index];
    if (there === element) return;
    if (there && !wanted.has(there)) there.replaceWith(element);
    else list.insertBefore(element, there ?? null);
  });
  while (list.children.length > elements.length) list.lastElementChild.remove();
  if (!message || document.activeElement === focused) return;
  const buttons = document.getElementById(message)?.querySelectorAll('button') ?? [];
  [...buttons].find((button) => button.getAttribute('aria-label') === label)?.focus({ preventScroll: true });
}

const siblings = (message) => tree.messages.filter((other) => other.parent === message.parent && other.role === message.role);

function item(message) {
  const mine = message.role === 'user';
  const body = h('div', { class: 'body', dir: 'auto' });
  if (mine || !message.html) body.append(plain(textOf(message)));
  else setHtml(body, message.html);
  if (message.tool_calls) body.append(h('pre', { tabindex: 0 }, JSON.stringify(message.tool_calls, null, 2)));
  const heading = h('span', { class: 'hidden' }, t(mine ? 'you' : 'assistant'));
  const parts = [heading, body];
  const note = end(message);
  if (note) parts.push(h('p', { class: 'note' }, note));
  if (message.status !== 'in_progress') parts.push(h('div', { class: 'tools' }, ...switcher(message), ...tools(message)));
  else body.classList.add('writing');
  return h('li', { class: `message ${message.role}`, id: `m-${message.id}` }, ...parts);
}

const plain = (text) => h('div', { class: 'plain-text' }, text);

function end(message) {
  if (message.status !== 'incomplete') return null;
  return t({ length: 'cutLength', interrupted: 'interrupted', error: 'failed' }[message.finish_reason] ?? 'cut');
}

function switcher(message) {
  const all = siblings(message);
  if (all.length < 2) return [];
  const index = all.findIndex((other) => other.id === message.id);
  const go = (step) => () => actions.branch(all[index + step].id);
  return [h('span', { class: 'switcher' },
    iconButton('left', t('previous'), go(-1), { disabled: index === 0 }),
    h('span', {}, `${index + 1}/${all.length}`),
    iconButton('right', t('next'), go(1), { disabled: index === all.length - 1 }))];
}

function tools(message) {
  const copyText = h('button', { type: 'button', class: 'icon', 'aria-label': t('copy'), title: t('copy') }, icon('copy'));
  copyText.addEventListener('click', () => copy(textOf(message), copyText));
  if (message.role === 'user') return [copyText, iconButton('pen', t('edit'), () => actions.edit(message))];
  if (message.role !== 'assistant') return [copyText];
  const { verdict, better } = message.rating ?? {};
  const thumb = (name, words, value) =>
    iconButton(name, t(words), () => actions.rate(message, verdict === value ? null : value), { 'aria-pressed': String(verdict === value) });
  return [
    copyText,
    thumb('good', 'good', 'up'),
    thumb('bad', 'bad', 'down'),
    iconButton('better', t('better'), () => actions.better(message), { 'aria-pressed': String(Boolean(better)) }),
    iconButton('again', t('again'), () => actions.again(message)),
  ];
}

/** Puts the server's sanitised HTML into an element, and a button on each block of code. */
function setHtml(body, html) {
  body.innerHTML = html;
  for (const pre of body.querySelectorAll('pre')) {
    const code = pre.querySelector('code') ?? pre;
    const language = [...code.classList].find((name) => name.startsWith('language-'))?.slice(9) ?? '';
    const button = h('button', { type: 'button', class: 'copy-code', 'aria-label': t('copyCode') }, icon('copy'), h('span', {}, t('copy')));
    button.addEventListener('click', () => copy(code.textContent, button));
    const head = h('div', { class: 'code-head' }, h('span', {}, language), button);
    pre.tabIndex = 0;
    const block = h('div', { class: 'code' }, head);
    pre.replaceWith(block);
    block.append(pre);
  }
  for (const table of body.querySelectorAll('table')) {
    const scroller = h('div', { class: 'table', tabindex: 0, role: 'region', 'aria-label': t('table') });
    table.replaceWith(scroller);
    scroller.append(table);
  }
}

/** Shows what a reply says so far: what was rendered, and the rest as text. */
export function progress(id, html, rest) {
  const body = document.querySelector(`#m-${CSS.escape(id)} .body`);
  if (!body) return;
  if (html !== null && body.dataset.html !== html) {
    setHtml(body, html);
    body.dataset.html = html;
  }
  let tail = body.querySelector('.plain-text');
  if (!tail) {
    // On the line where the rendered text ends, if that is a line of text.
    const end = [...body.querySelectorAll(':scope > p, :scope > ul > li, :scope > ol > li')].at(-1);
    const line = end && end.parentElement.lastElementChild === end && body.lastElementChild.contains(end) ? end : null;
    tail = h(line ? 'span' : 'div', { class: 'plain-text' });
    (line ?? body).append(tail);
  }
  tail.textContent = rest;
}
