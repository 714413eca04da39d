// Questions to the person.

import { $, h } from './dom.js';
import { t } from './i18n.js';

/**
 * Asks in a dialog: for a line or several of text, or, without `field`, for consent.
 * Gives the text (true without a field), '' when the person chose the button of the words `none`, or null when the
 * person declined. The dialog stays open, and says why, while a
 * line has more than `longest` characters.
 */
export function ask({ title, text = '', ok, field, value = '', danger = false, longest, none = null }) {
  const dialog = $('ask');
  $('ask-title').textContent = title;
  $('ask-text').textContent = text;
  $('ask-ok').textContent = ok;
  $('ask-ok').classList.toggle('danger', danger);
  $('ask-none').textContent = none ?? '';
  $('ask-none').hidden = none === null;
  const input = field === 'lines'
    ? h('textarea', { rows: 8, required: true, 'aria-label': title })
    : field && h('input', { type: field, required: true, autocomplete: 'off', 'aria-label': title });
  $('ask-field').replaceChildren(...(input ? [input] : []));
  if (input) input.value = value;
  input?.addEventListener('input', () => {
    const characters = [...input.value.trim()].length;
    input.setCustomValidity(longest && characters > longest ? t('tooLong', longest, characters) : '');
  });
  dialog.returnValue = 'cancel';
  dialog.showModal();
  if (field === 'lines') input.focus();
  else input?.select();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      if (dialog.returnValue === 'none') return resolve('');
      const agreed = dialog.returnValue === 'ok';
      resolve(agreed ? (input ? input.value.trim() || null : true) : null);
    }, { once: true });
  });
}

const SHORTCUTS = [
  ['kSend', 'Enter'], ['kLine', 'Shift Enter'], ['kStop', 'Esc'], ['kNew', 'Alt N'], ['kSearch', 'Alt K'],
  ['kSidebar', 'Alt B'], ['kFocus', '/'], ['kEdit', '↑'], ['kCopy', 'Alt C'], ['kHelp', '?'],
];

export function drawHelp() {
  $('shortcuts').replaceChildren(...SHORTCUTS.flatMap(([words, keys]) => [
    h('dt', {}, t(words)),
    h('dd', {}, ...keys.split(' ').map((key) => h('kbd', {}, key))),
  ]));
}

/** Closes a dialog by its buttons, and by a click beside it, but not by a press within it that ends there. */
for (const dialog of document.querySelectorAll('dialog')) {
  for (const button of dialog.querySelectorAll('[data-close]')) button.addEventListener('click', () => dialog.close(button.dataset.close));
  let pressed = null;
  dialog.addEventListener('pointerdown', (event) => { pressed = event.target; });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close('cancel');
  });
}
