// Small helpers around the document.

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** A new element: attributes (on… are listeners, booleans are switches) and children. Text is always text, never HTML. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const PATHS = {
  pen: 'M12 20h8M16.500 4.500l3 3L8 19l-4 1 1-4z',
  menu: 'M4 6h16M4 12h16M4 18h16',
  chart: 'M4 4v16h16M7.500 15l3.500-4 3 2.500L19 7.500',
  sliders: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.8.400-1 .9-1 1.700M12 16.800v.2',
  moon: 'M20 14.500A8.500 8.500 0 1 1 9.500 4 7 7 0 0 0 20 14.500z',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600 19 19M5 19l1.400-1.400M17.600 6.400 19 5',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  up: 'M12 19V5M6 11l6-6 6 6',
  square: 'M7 7h10v10H7z',
  cross: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  again: 'M19 12a7 7 0 1 1-2-5M19 4v4h-4',
  good: 'M7 11v9H4v-9zM7 11l4-8c1.700 0 2.500 1.200 2.200 2.800L12.600 9H18c1.400 0 2.300 1.200 2 2.500l-1.400 6.700c-.2 1-1.100 1.800-2.200 1.800H7',
  bad: 'M7 13V4H4v9zM7 13l4 8c1.700 0 2.500-1.200 2.200-2.800L12.600 15H18c1.400 0 2.300-1.200 2-2.500l-1.400-6.700C18.400 4.800 17.500 4 16.400 4H7',
  better: 'M4 20h16M6 16l1-4 8.500-8.500 3 3L10 15z',
  left: 'M14 6l-6 6 6 6',
  right: 'M10 6l6 6-6 6',
  bin: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
};

/** A line drawing, invisible to screen readers. */
export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/** A button of one drawing. */
export function iconButton(name, label, onclick, more = {}) {
  return h('button', { type: 'button', class: 'icon', 'aria-label': label, title: label, onclick, ...more }, icon(name));
}

/** Copies text, and shows on the button that it did. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context there is no clipboard: select and copy as of old.
    const area = h('textarea', { class: 'hidden', 'aria-hidden': 'true' });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  const before = [...button.childNodes];
  button.replaceChildren(icon('check'), ...before.slice(1));
  setTimeout(() => button.replaceChildren(...before), 1200);
}
