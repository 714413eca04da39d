// Exercises a running server with OpenAI's own JavaScript package.
//
//     fireclay serve --model runs/tiny &
//     mkdir /tmp/clients && cd /tmp/clients && npm install openai
//     node …/scripts/openai_clients.mjs [--base-url http://127.0.0.1:8080/v1] [--api-key KEY] [--model NAME]
//
// Every check prints a line; the first that fails ends the script with a trace and exit code 1. Tested with openai 6.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import assert from 'node:assert/strict';

// The package lies where the command is run, not beside this file.
const require = createRequire(join(process.cwd(), 'package.json'));
const OpenAI = (await import(pathToFileURL(require.resolve('openai')).href)).OpenAI;
const { VERSION } = require('openai/version');

const flags = process.argv.slice(2);
const flag = (name, otherwise) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : otherwise);
const client = new OpenAI({
  baseURL: flag('--base-url', 'http://127.0.0.1:8080/v1'),
  apiKey: flag('--api-key', 'none-is-needed'),
  maxRetries: 0,
  timeout: 120_000,
});
const passed = (what) => console.log(`ok  ${what}`);
const question = 'What is a kiln?';
const model = flag('--model', null) ?? (await client.models.list()).data[0].id;

async function models() {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert(listed.includes(model), listed.join());
  assert.equal((await client.models.retrieve(model)).id, model);
  passed(`models: ${listed}`);
}

async function chat() {
  const ask = { model, messages: [{ role: 'user', content: question }], temperature: 0, max_tokens: 24 };
  const whole = await client.chat.completions.create(ask);
  const text = whole.choices[0].message.content;
  assert(text);
  assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  passed(`chat: ${JSON.stringify(text)}, ${whole.usage.total_tokens} tokens`);

  let streamed = '';
  let usage = null;
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices.map((choice) => choice.delta.content ?? '').join('');
    usage = chunk.usage ?? usage;
  }
  assert.equal(streamed, text);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  passed('chat, streamed: the same text and usage');

  const helper = client.chat.completions.stream(ask);
  assert.equal((await helper.finalChatCompletion()).choices[0].message.content, text);
  passed('chat, by the stream helper');

  const told = (await client.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 })).choices[0].logprobs.content;
  assert.equal(Buffer.concat(told.map((token) => Buffer.from(token.bytes))).toString(), text);
  assert(told.every((token) => token.top_logprobs.length === 2 && token.logprob <= 0));
  passed(`chat, log-probabilities of ${told.length} tokens`);
}

async function completions() {
  const ask = { model, prompt: 'Once upon a time', temperature: 0, max_tokens: 8 };
  const { text } = (await client.completions.create(ask)).choices[0];
  let streamed = '';
  for await (const chunk of await client.completions.create({ ...ask, stream: true })) streamed += chunk.choices[0].text;
  assert.equal(streamed, text);
  const scored = (await client.completions.create({ ...ask, max_tokens: 1, echo: true, logprobs: 1 })).choices[0];
  assert(scored.text.startsWith(ask.prompt) && scored.logprobs.token_logprobs[0] === null);
  passed(`completions: ${JSON.stringify(text)}; echo with ${scored.logprobs.tokens.length} log-probabilities`);
}

const pot = {
  type: 'object',
  properties: { hot: { type: 'boolean' }, glaze: { enum: ['celadon', 'tenmoku'] }, cone: { type: 'integer', minimum: 1, maximum: 13 } },
  required: ['hot', 'glaze', 'cone'],
  additionalProperties: false,
};

function isAPot(text) {
  const { hot, glaze, cone, ...more } = JSON.parse(text);
  assert(typeof hot === 'boolean' && pot.properties.glaze.enum.includes(glaze) && cone >= 1 && cone <= 13, text);
  assert.deepEqual(more, {});
}

async function formats() {
  const messages = [{ role: 'user', content: question }];
  const response_format = { type: 'json_schema', json_schema: { name: 'pot', strict: true, schema: pot } };
  const reply = await client.chat.completions.create({ model, messages, response_format, max_tokens: 200 });
  isAPot(reply.choices[0].message.content);
  const text = { format: { type: 'json_schema', name: 'pot', strict: true, schema: pot } };
  isAPot((await client.responses.create({ model, input: question, text, max_output_tokens: 200, store: false })).output_text);
  passed('answers by a JSON schema: chat, responses');
}

async function responses() {
  const settings = { model, temperature: 0, max_output_tokens: 24 };
  const first = await client.responses.create({ ...settings, input: question });
  assert(first.output_text && ['completed', 'incomplete'].includes(first.status));
  const next = { ...settings, input: 'And what is clay?', previous_response_id: first.id };
  const second = await client.responses.create(next);
  const whole = await client.chat.completions.create({
    model,
    temperature: 0,
    max_tokens: 24,
    messages: [
      { role: 'user', content: question },
      { role: 'assistant', content: first.output_text },
      { role: 'user', content: next.input },
    ],
  });
  assert.equal(second.output_text, whole.choices[0].message.content);
  passed('responses: a second turn by id equals one call');

  let streamed = '';
  let last = null;
  for await (const event of await client.responses.create({ ...settings, input: question, stream: true })) {
    if (event.type === 'response.output_text.delta') streamed += event.delta;
    last = event;
  }
  assert.equal(streamed, first.output_text);
  const text = last.response.output.flatMap((item) => item.content).map((part) => part.text).join('');
  assert.equal(text, first.output_text);
  const final = await client.responses.stream({ ...settings, input: question }).finalResponse();
  assert.equal(final.output_text, first.output_text);
  passed(`responses, streamed, and by the stream helper; ended by ${last.type}`);

  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
  passed('responses: read and deleted');
}

async function conversations() {
  const made = await client.conversations.create({
    metadata: { topic: 'clay' },
    items: [{ type: 'message', role: 'user', content: 'Hello' }],
  });
  const reply = await client.responses.create({ model, input: question, conversation: made.id, max_output_tokens: 8 });
  assert.equal(reply.conversation.id, made.id);
  const items = [];
  for await (const item of client.conversations.items.list(made.id, { order: 'asc', limit: 1 })) items.push(item);
  assert.deepEqual(items.map((item) => item.role), ['user', 'user', 'assistant']);
  const [{ id }] = items;
  assert.equal((await client.conversations.items.retrieve(id, { conversation_id: made.id })).id, id);
  assert.deepEqual((await client.conversations.update(made.id, { metadata: { topic: 'kiln' } })).metadata, { topic: 'kiln' });
  await client.conversations.items.delete(id, { conversation_id: made.id });
  assert((await client.conversations.delete(made.id)).deleted);
  passed(`conversations: ${items.length} items by pages of one, changed and deleted`);
}

async function refusals() {
  const messages = [{ role: 'user', content: question }];
  for (const [kind, wrong] of [
    [OpenAI.NotFoundError, { model: 'no such model' }],
    [OpenAI.BadRequestError, { model, temperature: -1 }],
    [OpenAI.BadRequestError, { model, strange: 1 }],
  ]) {
    await assert.rejects(client.chat.completions.create({ messages, ...wrong }), (error) => {
      assert(error instanceof kind && error.message && error.requestID, String(error));
      return true;
    });
  }
  passed('refusals are the package’s own errors, with the request’s id');
}

async function atOnce() {
  const ask = async (number) => {
    const messages = [{ role: 'user', content: `${question} ${number}` }];
    return (await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 16 })).choices[0].message.content;
  };
  const numbers = [...Array(8).keys()];
  const together = await Promise.all(numbers.map(ask));
  const alone = [];
  for (const number of numbers) alone.push(await ask(number));
  assert.deepEqual(together, alone);
  const stream = await client.chat.completions.create({ model, messages: [{ role: 'user', content: question }], max_tokens: 64, stream: true });
  let pieces = 0;
  for await (const _ of stream) if (++pieces === 3) break;
  passed('eight at once equal each alone; a stream can be left');
}

console.log(`openai ${VERSION}, model ${model}`);
for (const check of [models, chat, completions, formats, responses, conversations, refusals, atOnce]) await check();
console.log('all passed');
