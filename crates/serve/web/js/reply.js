// One reply, from the request to its end.

import * as api from './api.js';
import { $ } from './dom.js';
import { t } from './i18n.js';
import * as thread from './thread.js';

/** Milliseconds between two renderings of what there is so far; longer texts are rendered less often. */
const pause = (text) => Math.max(500, text.length / 20);
/** Characters up to which a reply is rendered while it grows. */
const RENDERED = 60_000;

let running = null;

export const isRunning = () => running !== null;

/** Asks for a reply and shows it while it is written; calls `started` once it is stored. An error says under `began` whether the reply had begun. */
export const run = (conversation, request, started) => shown(conversation, api.reply(conversation, request), null, started);

/** Shows a reply that was begun before. */
export const follow = (conversation, message, signal) => shown(conversation, api.follow(message, signal), message);

async function shown(conversation, events, id = null, started = () => {}) {
  const mine = { id, reply: null, text: '' };
  running = mine;
  try {
    await stream(mine, conversation, events, started);
  } catch (error) {
    error.began = mine.id !== null;
    // The connection broke: the person sees what came until the server, which goes on, can be asked again.
    if (mine.reply && thread.tree?.conversation.id === conversation) thread.put({ ...mine.reply, content: mine.text });
    throw error;
  } finally {
    if (running === mine) running = null;
  }
}

/** Ends the reply; what there is is kept. */
export async function stop() {
  if (running?.id) await api.stop(running.id);
}

async function stream(mine, conversation, events, started) {
  let html = null;
  let rendered = 0;
  let rendering = false;
  let last = 0;
  let finished = null;
  const isShown = () => thread.tree?.conversation.id === conversation;
  const draw = () => isShown() && thread.progress(mine.id, html, mine.text.slice(rendered));
  const render = async () => {
    if (rendering || mine.text.length > RENDERED || performance.now() - last < pause(mine.text)) return;
    rendering = true;
    const upTo = mine.text.length;
    try {
      const made = await api.render(mine.text.slice(0, upTo));
      if (!finished) [html, rendered] = [made, upTo];
    } catch {
      // The text is shown as it is until the end.
    }
    last = performance.now();
    rendering = false;
  };
  let frame = false;
  for await (const event of events) {
    if (event.type === 'started') {
      mine.id = event.reply.id;
      mine.reply = event.reply;
      if (isShown()) thread.put(...(event.user ? [event.user] : []), event.reply);
      started();
      $('announce').textContent = t('thinking');
      stick(true);
    } else if (event.type === 'left_out') {
      if (isShown()) thread.leftOut(mine.id, event.exchanges);
    } else if (event.type === 'delta') {
      mine.text += event.text;
      render();
      if (!frame) {
        frame = true;
        requestAnimationFrame(() => {
          frame = false;
          if (!finished) draw();
          stick(false);
        });
      }
    } else if (event.type === 'done') {
      finished = event.message;
      mine.reply = null;
      if (isShown()) {
        thread.tree.conversation = { ...thread.tree.conversation, ...event.conversation, leaf: event.message.id };
        thread.put(event.message);
      }
      $('announce').textContent = `${t('done')} ${thread.textOf(event.message).slice(0, 2000)}`;
      stick(false);
    } else if (event.type === 'error') {
      throw new api.ServerError(500, event.message);
    }
  }
  if (!finished) throw new TypeError('the stream ended early');
}

/** Keeps the end in view while the person has not scrolled up. */
export function stick(force) {
  const scroll = $('scroll');
  if (force || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120) scroll.scrollTop = scroll.scrollHeight;
}

/** Shows the speed of the last reply, and how much of the context it took. */
export function figures(models) {
  const last = thread.path().findLast((message) => message.usage);
  const { prompt_tokens = 0, completion_tokens = 0, seconds } = last?.usage ?? {};
  const window_ = models.find(({ id }) => id === (last?.model ?? $('model').value))?.context;
  $('speed').textContent = last && seconds > 0 && completion_tokens > 1 ? t('speed', ((completion_tokens - 1) / seconds).toFixed(0)) : '';
  const used = prompt_tokens + completion_tokens;
  $('context').textContent = !last ? '' : window_ ? t('context', used, window_) : t('contextOnly', used);
  const leftOut = thread.path().findLast((message) => message.role === 'assistant')?.left_out ?? 0;
  $('left-out').textContent = leftOut === 0 ? '' : t(leftOut === 1 ? 'leftOutOne' : 'leftOut', leftOut);
}
