// Conversations as files.

import * as api from './api.js';
import { $, h } from './dom.js';
import { t } from './i18n.js';
import * as list from './list.js';

/** Saves a conversation as a file. */
export async function save(conversation) {
  const file = await api.exported(conversation.id);
  const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2)], { type: 'application/json' }));
  const name = (conversation.title || 'conversation').replace(/[^\p{L}\p{N} _-]/gu, '').trim().slice(0, 60) || 'conversation';
  h('a', { href: url, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Makes a conversation of the chosen file, and opens it; `fail` says why not. */
export async function take(event, open, fail) {
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
}
