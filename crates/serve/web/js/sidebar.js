// The list of conversations as a part of the page: beside the conversation, or over it where the page is narrow.

import { $ } from './dom.js';

const isNarrow = () => matchMedia('(max-width: 800px)').matches;

/** Whether the list is shown. */
export const isShown = () => (isNarrow() ? document.body.classList.contains('list-open') : !document.body.classList.contains('list-closed'));

/** Whether the list covers the conversation. */
export const covers = () => isNarrow() && isShown();

/** Shows or hides the list. */
export function show(is) {
  const body = document.body.classList;
  body.toggle(isNarrow() ? 'list-open' : 'list-closed', isNarrow() ? is : !is);
  $('shade').hidden = !(isNarrow() && is);
  reflect();
}

/** Takes the list away from where it covers the conversation. */
export function uncover() {
  if (isNarrow()) show(false);
}

function reflect() {
  const shown = isShown();
  $('toggle').setAttribute('aria-expanded', String(shown));
  $('sidebar').inert = !shown;
}

/** Connects the controls, and follows the width of the page. */
export function setUp() {
  $('toggle').addEventListener('click', () => show(!isShown()));
  $('shade').addEventListener('click', () => show(false));
  matchMedia('(max-width: 800px)').addEventListener('change', () => show(!isNarrow()));
  reflect();
}
