// The message box: what is typed in it, and the message that is edited in it meanwhile.

import { $ } from './dom.js';
import { session } from './storage.js';

const DRAFT = 'fireclay.draft';

let edited = null;
/** What was typed before the editing began. */
let draft = '';

/** The message that is being edited, or null. */
export const editing = () => edited;

/** Puts text into the box. */
export function fill(text) {
  $('prompt').value = text;
  typed();
}

/** Keeps what was typed, but for an edited message, for a reload of the page. */
export function typed() {
  session.set(DRAFT, edited ? draft : $('prompt').value);
  grow();
}

/** Brings back what was typed before the page was loaded again. */
export const restore = () => fill($('prompt').value || (session.get(DRAFT) ?? ''));

/** Makes the box as high as its text. */
function grow() {
  const prompt = $('prompt');
  prompt.style.height = 'auto';
  prompt.style.height = `${Math.min(prompt.scrollHeight, innerHeight * 0.4)}px`;
}

/** Puts the text of a message into the box, to be changed; what was typed there comes back afterwards. */
export function edit(message, text) {
  if (!edited) draft = $('prompt').value;
  show(message);
  fill(text);
  $('prompt').focus();
}

/** Ends the editing, and brings back what was typed before. */
export function stopEditing() {
  if (!edited) return;
  show(null);
  fill(draft);
  draft = '';
}

function show(message) {
  if (edited) document.getElementById(`m-${edited.id}`)?.classList.remove('edited');
  edited = message;
  if (message) document.getElementById(`m-${message.id}`)?.classList.add('edited');
  $('editing').hidden = message === null;
}
