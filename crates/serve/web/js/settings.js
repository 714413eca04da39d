// What this browser remembers: language, theme, sampling, personas.

import { ask } from './dialogs.js';
import { $, h, iconButton, icon } from './dom.js';
import { speak, t } from './i18n.js';

const STORED = 'fireclay.settings';
const SAMPLING = [
  ['temperature', { min: 0, max: 2, step: 0.05 }],
  ['top_p', { min: 0.01, max: 1, step: 0.01 }],
  ['top_k', { min: 1, max: 1000, step: 1 }],
  ['max_tokens', { min: 1, max: 100000, step: 1 }],
  ['seed', { min: 0, max: 4294967295, step: 1 }],
];

/** What is done without a setting, where it is not the model's own choice. */
const UNSET = { max_tokens: 'asFits', seed: 'random' };

const defaults = () => ({
  language: navigator.language.startsWith('zh') ? 'zh' : 'en',
  theme: 'system',
  model: null,
  persona: '',
  sampling: {},
  personas: [
    { name: 'Helper', text: 'You are a helpful assistant. Answer briefly and to the point.' },
    { name: 'Storyteller', text: 'You tell short, vivid stories.' },
  ],
});

export const settings = read();

function read() {
  try {
    return { ...defaults(), ...JSON.parse(localStorage.getItem(STORED) ?? '{}') };
  } catch {
    return defaults();
  }
}

export function keep() {
  localStorage.setItem(STORED, JSON.stringify(settings));
}

/** The sampling settings that a person has set. */
export const sampling = () => Object.fromEntries(Object.entries(settings.sampling).filter(([, value]) => value !== null));

/** Whether the page is dark now. */
export function isDark() {
  return settings.theme === 'dark' || (settings.theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
}

export function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  $('theme').replaceChildren(icon(isDark() ? 'sun' : 'moon'));
  $('theme-choice').value = settings.theme;
}

/** Fills the dialog; `changed` is called when words or personas change. */
export function setUp(changed) {
  applyTheme();
  speak(settings.language);
  $('language').value = settings.language;
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
  $('theme').addEventListener('click', () => setTheme(isDark() ? 'light' : 'dark'));
  $('theme-choice').addEventListener('change', (event) => setTheme(event.target.value));
  $('language').addEventListener('change', (event) => {
    settings.language = event.target.value;
    keep();
    speak(settings.language);
    draw(changed);
    changed();
  });
  $('add-persona').addEventListener('click', () => {
    settings.personas.push({ name: '', text: '' });
    draw(changed);
    $('personas').lastElementChild.querySelector('input').focus();
  });
  draw(changed);
}

function setTheme(theme) {
  settings.theme = theme;
  keep();
  applyTheme();
}

function draw(changed) {
  $('sampling').replaceChildren(...SAMPLING.map(([name, limits]) => {
    const note = h('small', { class: 'note', role: 'alert', id: `note-${name}` });
    const input = h('input', { type: 'number', inputmode: 'decimal', placeholder: t(UNSET[name] ?? 'byModel'), ...limits, name, 'aria-describedby': note.id });
    input.value = settings.sampling[name] ?? '';
    input.addEventListener('change', () => {
      const valid = input.checkValidity();
      settings.sampling[name] = input.value === '' || !valid ? null : Number(input.value);
      input.setAttribute('aria-invalid', String(!valid));
      note.textContent = valid ? '' : t(limits.step === 1 ? 'wholeFrom' : 'from', limits.min, limits.max);
      keep();
    });
    return h('label', {}, h('span', {}, t(name)), input, note);
  }));
  $('personas').replaceChildren(...settings.personas.map((persona, index) => {
    const name = h('input', { type: 'text', 'aria-label': t('personaName'), placeholder: t('personaName'), maxlength: 60 });
    const text = h('textarea', { rows: 2, 'aria-label': t('personaText'), placeholder: t('personaText') });
    name.value = persona.name;
    text.value = persona.text;
    const update = () => {
      Object.assign(persona, { name: name.value, text: text.value });
      keep();
      changed();
    };
    name.addEventListener('input', update);
    text.addEventListener('input', update);
    const bin = iconButton('bin', t('delete'), async () => {
      const about = { title: t('deletePersona'), text: persona.name || persona.text.slice(0, 30), ok: t('delete'), danger: true };
      if (persona.text.trim() && (await ask(about)) === null) return;
      settings.personas.splice(index, 1);
      keep();
      draw(changed);
      changed();
    });
    return h('div', { class: 'persona-edit' }, h('div', {}, name, bin), text);
  }));
}
