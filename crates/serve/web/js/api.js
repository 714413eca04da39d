// The server. Every call carries the API key if there is one; a refused key asks the person for another.

import { local } from './storage.js';

const KEY = 'fireclay.key';
let askForKey = async () => null;

/** Says how a person is asked for the key: a function from whether one was refused to the new one, or null. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export const hasKey = () => local.get(KEY) !== null;
export const forgetKey = () => local.remove(KEY);

/** A failed call: the server's own words. */
export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let asking = null;

async function call(method, path, body, signal, known) {
  for (;;) {
    const key = local.get(KEY);
    const headers = {};
    if (known) headers['If-None-Match'] = known;
    if (key) headers.Authorization = `Bearer ${key}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
    if (response.ok || response.status === 304) return response;
    if (response.status !== 401) throw new ServerError(response.status, await reason(response));
    // Several calls that were refused at once ask once.
    asking ??= askForKey(key !== null).finally(() => { asking = null; });
    const answer = await asking;
    if (answer === null) throw new ServerError(401, await reason(response));
    // A header takes nothing else, and no key has anything else.
    if (!/^[\x21-\x7e]+$/.test(answer)) {
      local.remove(KEY);
      continue;
    }
    local.set(KEY, answer);
  }
}

async function reason(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.slice(0, 300) || response.statusText;
  }
}

const json = async (...call_) => (await call(...call_)).json();
const id = encodeURIComponent;

export const models = () => json('GET', '/ui/api/models');
export const conversations = (search, after, limit = 50) =>
  json('GET', `/ui/api/conversations?${new URLSearchParams({ search, limit, ...(after ? { after } : {}) })}`);
export const create = (fields) => json('POST', '/ui/api/conversations', fields);
export const conversation = (which) => json('GET', `/ui/api/conversations/${id(which)}`);
export const change = (which, fields) => json('PATCH', `/ui/api/conversations/${id(which)}`, fields);
export const remove = (which) => json('DELETE', `/ui/api/conversations/${id(which)}`);
export const select = (which, message) => json('POST', `/ui/api/conversations/${id(which)}/branch`, { message });
export const exported = (which) => json('GET', `/ui/api/conversations/${id(which)}/export`);
export const imported = (file) => json('POST', '/ui/api/conversations/import', file);
/** The report of the run that is watched, with its tag; null where it is still the one of the tag `known`. */
export async function report(known) {
  const response = await call('GET', '/ui/api/watch', undefined, undefined, known);
  return response.status === 304 ? null : { tag: response.headers.get('ETag'), report: await response.json() };
}

/** Changes the parts of a rating that are given. */
export const rate = (message, change_) => json('PATCH', `/ui/api/messages/${id(message)}/rating`, change_);
export const stop = (message) => json('POST', `/ui/api/messages/${id(message)}/stop`);
export const render = async (text) => (await json('POST', '/ui/api/render', { text })).html;

/** A reply, event by event: {type: 'started' | 'left_out' | 'delta' | 'done' | 'error', …}. */
export const reply = (which, request) => events('POST', `/ui/api/conversations/${id(which)}/replies`, request);
/** The events of a reply that was begun before, from its beginning. */
export const follow = (message, signal) => events('GET', `/ui/api/messages/${id(message)}/events`, undefined, signal);

async function* events(method, path, request, signal) {
  const response = await call(method, path, request, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split('\n').filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart()).join('\n');
      if (data) yield JSON.parse(data);
    }
  }
}
