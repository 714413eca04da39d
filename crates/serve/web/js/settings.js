// What this browser remembers: language, theme, sampling, personas.

import { ask } from './dialogs.js';
import { $, h, iconButton, icon } from './dom.js';
import { speak, t } from './i18n.js';
import { local } from './storage.js';

const STORED = 'fireclay.settings';
const SAMPLING = [
  ['temperature', { min: 0, max: 2, step: 0.05 }],
  ['top_p', { min: 0.01, max: 1, step: 0.01 }],
  ['top_k', { min: 1, max: 1000, step: 1 }],
  ['min_p', { min: 0, max: 1, step: 0.01 }],
  ['max_tokens', { min: 1, max: 100000, step: 1 }],
  ['seed', { min: 0, max: 4294967295, step: 1 }],
];

/** What is done without a setting, where it is not the model's own choice. */
const UNSET = { max_tokens: 'asFits', seed: 'random' };

/** What the model itself uses. */
let ofModel = {};

const PERSONAS = {
  en: [
    { name: 'Helper', text: 'You are a helpful assistant. Answer briefly and to the point.' },
    { name: 'Storyteller', text: 'You tell short, vivid stories.' },
  ],
  zh: [
    { name: '助手', text: '你是一个乐于助人的助手。回答要简短、切题。' },
    { name: '讲故事的人', text: '你讲简短生动的故事。' },
  ],
};

const ownLanguage = () => (navigator.language.startsWith('zh') ? 'zh' : 'en');

const defaults = () => ({
  language: ownLanguage(),
  theme: 'system',
  model: null,
  persona: '',
  sampling: {},
  personas: PERSONAS[ownLanguage()].map((persona) => ({ ...persona })),
});

const copied = (value) => JSON.parse(JSON.stringify(value));

export const settings = read();
/** The settings as this tab last read or kept them. */
let known = copied(settings);
/** Shows settings that another tab has changed. */
let changedElsewhere = () => {};

function read() {
  try {
    return { ...defaults(), ...JSON.parse(local.get(STORED) ?? '{}') };
  } catch {
    return defaults();
  }
}

/** Keeps what changed in this tab, beside what other tabs have changed meanwhile. */
export function keep() {
  takeOver();
  local.set(STORED, JSON.stringify(settings));
  known = copied(settings);
}

function takeOver() {
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const others = Object.entries(read()).filter(([name, value]) => !same(value, known[name]) && same(settings[name], known[name]));
  if (!others.length) return;
  Object.assign(settings, Object.fromEntries(others));
  known = copied(settings);
  changedElsewhere();
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
    translatePersonas();
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
  changedElsewhere = () => {
    applyTheme();
    $('language').value = settings.language;
    speak(settings.language);
    draw(changed);
    changed();
  };
  addEventListener('storage', ({ key }) => { if (key === STORED) takeOver(); });
  draw(changed);
}

/** Says the personas that came with the page, and that nobody changed, in the language of the page. */
function translatePersonas() {
  const [from, to] = settings.language === 'zh' ? [PERSONAS.en, PERSONAS.zh] : [PERSONAS.zh, PERSONAS.en];
  for (const [index, { name, text }] of from.entries()) {
    for (const persona of settings.personas) {
      if (persona.name === name && persona.text === text) Object.assign(persona, to[index]);
    }
    if (settings.persona === text) settings.persona = to[index].text;
  }
}

/** Shows in the fields what this model uses where a person sets nothing. */
export function setModel(defaults_) {
  ofModel = defaults_ ?? {};
  for (const [name] of SAMPLING) document.querySelector(`#sampling [name=${name}]`).placeholder = unset(name);
}

function unset(name) {
  if (UNSET[name]) return t(UNSET[name]);
  return ofModel[name] == null ? t('off') : t('byModel', Number(ofModel[name].toPrecision(4)));
}

function setTheme(theme) {
  settings.theme = theme;
  keep();
  applyTheme();
}

function draw(changed) {
  $('sampling').replaceChildren(...SAMPLING.map(([name, limits]) => {
    const note = h('small', { class: 'note', role: 'alert', id: `note-${name}` });
    const input = h('input', { type: 'number', inputmode: 'decimal', placeholder: unset(name), ...limits, name, 'aria-describedby': note.id });
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
      // A new chat goes on with the persona that was chosen for it.
      if (persona.text && settings.persona === persona.text) settings.persona = text.value;
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
      if (settings.persona === persona.text) settings.persona = '';
      keep();
      draw(changed);
      changed();
    });
    return h('div', { class: 'persona-edit' }, h('div', {}, name, bin), text);
  }));
}
