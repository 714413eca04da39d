// Uses the web page in a real Chromium as a person would, and looks for faults: what each control does, that a hostile
// reply stays harmless, that nothing is asked of another host, that the console is silent, and what axe-core says.
//
//     fireclay serve --model runs/tiny --port 8080 --db /tmp/browser.db     # an empty database
//     mkdir /tmp/browser && cd /tmp/browser && npm install playwright-core axe-core
//     node …/scripts/browser_chat.mjs http://127.0.0.1:8080 [--key KEY] [--shots DIR] [--chromium /usr/bin/chromium]
//
// Exits with 1 at the first fault, and with 2 where the database is not empty or the server does not answer. Tested with playwright-core 1.61 and axe-core 4.12.

import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';

// The packages lie where the command is run, not beside this file.
const require = createRequire(join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [url, ...flags] = process.argv.slice(2);
const flag = (name, otherwise) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : otherwise);
assert(url, 'give the server’s address');
const host = new URL(url).host;
const shots = flag('--shots', null);
const key = flag('--key', null);
if (shots) mkdirSync(shots, { recursive: true });

const headers = { 'Content-Type': 'application/json', ...(key ? { Authorization: `Bearer ${key}` } : {}) };
const first = await fetch(new URL('/ui/api/conversations?limit=1', url), { headers }).catch((error) => refuse(`${url} does not answer: ${error.cause ?? error}`));
if (!first.ok) refuse(`${url} answers ${first.status}: ${await first.text()}`);
if ((await first.json()).conversations.length) refuse(`the server at ${url} has conversations; start it with an empty database: fireclay serve --db NEW.db`);

function refuse(why) {
  console.error(why);
  process.exit(2);
}

const browser = await chromium.launch({ executablePath: flag('--chromium', '/usr/bin/chromium'), args: ['--no-sandbox'] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', acceptDownloads: true });
await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
const page = await context.newPage();
const faults = [];
// While a message is sent that the server refuses.
let refusal = false;
page.on('console', (message) => {
  // A key that is asked for is answered 401 once; a browser reports that, and a refusal, as errors of the network.
  const expected = (key && message.text().includes('401')) || (refusal && message.text().includes('400'));
  if (['error', 'warning'].includes(message.type()) && !expected) faults.push(`console: ${message.text()}`);
});
page.on('pageerror', (error) => faults.push(`error: ${error}`));
page.on('dialog', (dialog) => { faults.push(`a script ran: ${dialog.message()}`); dialog.dismiss(); });
context.on('request', (request) => {
  const asked = new URL(request.url());
  if (!['data:', 'blob:'].includes(asked.protocol) && asked.host !== host) faults.push(`foreign request: ${request.url()}`);
});

let step = '';
async function check(what, work) {
  step = what;
  await work();
  assert.deepEqual(faults, [], what);
  console.log(`ok  ${what}`);
}

const last = (role) => page.locator(`#thread > .message.${role}`).last();
const tool = (message, name) => message.getByRole('button', { name, exact: true });
const finished = () => page.waitForFunction(() => document.querySelector('#stop').hidden && !document.querySelector('.writing'), null, { timeout: 60_000 });
const shot = (name) => shots && page.screenshot({ path: join(shots, `${name}.png`) });

async function say(text) {
  await page.fill('#prompt', text);
  await page.keyboard.press('Enter');
}

async function settings(work) {
  await page.click('#open-settings');
  await work();
  await page.locator('#settings header button').click();
}

async function deleteOpen() {
  const row = page.locator('.conversation.current');
  await row.hover();
  await row.getByRole('button', { name: /^Delete/ }).click();
  await page.click('#ask-ok');
  await page.waitForFunction(() => !document.querySelector('.message'));
}

/** Gives the model other work, without which a tiny one answers in less time than a frame of the screen takes. */
async function keepBusy() {
  const model = await page.inputValue('#model');
  const others = JSON.stringify({ model, prompt: 'Once', n: 24, max_tokens: 180, ignore_eos: true });
  let busy = true;
  const ask = async () => (await fetch(new URL('/v1/completions', url), { method: 'POST', headers, body: others })).text();
  // Two at a time, so that one is always being computed while the other begins.
  const load = Promise.all([0, 1].map(async () => { while (busy) await ask(); }));
  return async () => {
    busy = false;
    await load;
  };
}

async function accessible(where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const told = grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.any[0]?.message ?? ''}`).join('\n   ')}`);
  assert.deepEqual(told, [], `${where}: axe-core`);
}

const HOSTILE = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(2)> <svg onload=alert(3)></svg> <iframe src="https://evil.example/"></iframe>',
  '[click](javascript:alert(4)) [data](data:text/html,<script>alert(5)</script>) <javascript:alert(6)>',
  '![pixel](https://evil.example/pixel.png)',
  '<style>*{display:none}</style><link rel=stylesheet href=https://evil.example/x.css>',
  '```html" onmouseover="alert(7)\nnever closed <b>',
].join('\n\n');

const file = (messages, title) => ({ object: 'fireclay.conversation', version: 1, title, messages: messages.map(([role, content], index) => ({ id: `m${index}`, parent: index ? `m${index - 1}` : null, role, content })) });

async function importFile(content) {
  const path = join(tmpdir(), `browser-chat-${process.pid}.json`);
  writeFileSync(path, JSON.stringify(content));
  await page.click('#open-settings');
  await page.setInputFiles('#import', path);
  await page.waitForFunction((title) => document.querySelector('#title').textContent === title, content.title);
}

try {
  await page.goto(url);
  if (key) {
    await check('whoever closes the question for the key can come back to it', async () => {
      await page.waitForFunction(() => document.querySelector('#ask').open);
      await page.keyboard.press('Escape');
      await page.waitForSelector('#give-key:not([hidden])');
      assert.match(await page.textContent('#error'), /API key/);
      await accessible('without a key');
      await page.click('#give-key');
    });
    await check('a wrong key is refused, and the right one opens the page', async () => {
      for (const answer of ['wrong', key]) {
        const refused = page.waitForFunction(() => document.querySelector('#ask').open);
        await refused;
        await accessible('login');
        await page.fill('#ask input', answer);
        await page.click('#ask-ok');
      }
    });
  }
  await page.waitForFunction(() => document.querySelector('#model').options.length > 0);

  await check('the empty page is accessible', () => accessible('empty page'));

  await check('a suggestion of the run is sent from the keyboard', async () => {
    const chosen = await page.inputValue('#model');
    const { models } = await (await fetch(new URL('/ui/api/models', url), { headers })).json();
    const suggested = models.find(({ id }) => id === chosen).suggestions;
    const buttons = page.locator('#suggestions button');
    assert.deepEqual(await buttons.allTextContents(), suggested);
    if (!suggested.length) return;
    await shot('suggestions-light');
    await page.click('#theme');
    await accessible('suggestions, dark');
    await page.click('#theme');
    await buttons.last().focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    await finished();
    assert.equal((await last('user').locator('.body').textContent()).trim(), suggested.at(-1));
    await deleteOpen();
  });

  await check('a message is sent and the reply streams and is stored', async () => {
    await say('Hello! Who are you?');
    await page.waitForSelector('.message.assistant');
    await finished();
    assert.equal(await page.locator('.message').count(), 2);
    assert.notEqual((await last('assistant').locator('.body').textContent()).trim(), '');
    assert.match(await page.textContent('#context'), /\d+ of \d+ tokens of context/);
    assert.match(await page.textContent('#announce'), /^Reply finished:/);
  });

  await check('the next turn goes on from there', async () => {
    await say('And what can you do?');
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 4);
    await finished();
    await accessible('conversation');
    await shot('desktop-light');
  });

  await check('a reply that is stopped keeps what there is', async () => {
    // In a conversation of its own, which is deleted afterwards.
    const idle = await keepBusy();
    for (let attempt = 0, stopped = false; !stopped; attempt++) {
      assert(attempt < 10, 'no reply was long enough to be stopped');
      await page.keyboard.press('Alt+KeyN');
      await page.waitForFunction(() => !document.querySelector('.message'));
      // Within the page, where a click takes no time.
      await page.evaluate(() => {
        const watch = new MutationObserver(() => {
          if (!document.querySelector('.writing')?.textContent.trim()) return;
          watch.disconnect();
          document.querySelector('#stop').click();
        });
        watch.observe(document.querySelector('#thread'), { subtree: true, childList: true, characterData: true });
      });
      await say('Tell me a very long story about a lighthouse.');
      await page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
      await finished();
      stopped = (await last('assistant').locator('.note').allTextContents()).includes('Stopped.');
      if (stopped) {
        assert.notEqual((await last('assistant').locator('.body').textContent()).trim(), '');
        assert.match(await page.textContent('#context'), /\d+ of \d+ tokens of context/, 'it has its figures');
      }
      await deleteOpen();
    }
    await idle();
    await page.locator('.conversation a').first().click();
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 4);
  });

  await check('a reply goes on while the page is loaded again, and can be stopped there', async () => {
    const idle = await keepBusy();
    for (const stops of [false, true]) {
      for (let attempt = 0, seen = false; !seen; attempt++) {
        assert(attempt < 10, 'no reply was long enough to be found again');
        await page.keyboard.press('Alt+KeyN');
        await page.waitForFunction(() => !document.querySelector('.message'));
        await say('Tell me a very long story about a lighthouse.');
        await page.waitForFunction(() => document.querySelector('.message.assistant .body')?.textContent.trim());
        await page.reload();
        await page.waitForSelector('.message.assistant');
        seen = await page.locator('#stop').isVisible();
        if (seen && stops) await page.click('#stop').catch(() => {});
        await finished();
        const notes = await last('assistant').locator('.note').allTextContents();
        if (stops) seen = notes.includes('Stopped.');
        else assert(!notes.includes('Stopped.') && !notes.some((note) => note.startsWith('Interrupted')), notes.join());
        assert.notEqual((await last('assistant').locator('.body').textContent()).trim(), '');
        await deleteOpen();
      }
    }
    await idle();
    await page.locator('.conversation a').first().click();
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 4);
  });

  await check('a refused first message leaves no conversation, and the person has it back', async () => {
    const rows = () => page.locator('.conversation').count();
    const before = await rows();
    await page.keyboard.press('Alt+KeyN');
    await page.waitForFunction(() => !document.querySelector('.message'));
    const long = 'clay '.repeat(100_000);
    await page.fill('#prompt', long);
    refusal = true;
    await page.keyboard.press('Enter');
    await page.waitForSelector('#error:not([hidden])');
    refusal = false;
    await page.waitForFunction((count) => document.querySelectorAll('.conversation').length === count, before);
    assert.match(await page.textContent('#error'), /context/);
    assert.equal(await page.inputValue('#prompt'), long);
    await page.fill('#prompt', '');
    await page.locator('.conversation a').first().click();
    await page.waitForSelector('.message');
  });

  await check('a setting that cannot be is refused with a reason', async () => {
    await page.click('#open-settings');
    assert.equal(await page.getAttribute('#sampling input[name=seed]', 'placeholder'), 'random');
    for (const name of ['temperature', 'top_k', 'min_p']) assert.match(await page.getAttribute(`#sampling input[name=${name}]`, 'placeholder'), /^(off|[\d.]+ \(model\))$/);
    const field = page.locator('#sampling input[name=max_tokens]');
    await field.fill('0');
    await page.keyboard.press('Tab');
    assert.match(await page.locator('#note-max_tokens').textContent(), /whole number from 1 to/);
    await accessible('a wrong setting');
    await field.fill('');
    await page.keyboard.press('Tab');
    assert.equal(await page.locator('#note-max_tokens').textContent(), '');
    await page.locator('#settings header button').click();
  });

  await check('a reply is generated again, and the branches can be switched', async () => {
    await settings(async () => { await page.fill('#sampling input[name=temperature]', '1'); await page.fill('#sampling input[name=max_tokens]', '40'); await page.keyboard.press('Tab'); });
    await tool(last('assistant'), 'Generate again').click();
    await page.waitForSelector('.switcher');
    await finished();
    assert.equal(await last('assistant').locator('.switcher').textContent(), '2/2');
    // By its id: a small model may well say the same again.
    const second = await last('assistant').getAttribute('id');
    await tool(last('assistant'), 'Previous version').click();
    await page.waitForFunction(() => document.querySelector('.switcher').textContent === '1/2');
    assert.notEqual(await last('assistant').getAttribute('id'), second);
    await tool(last('assistant'), 'Next version').click();
    await page.waitForFunction(() => document.querySelector('.switcher').textContent === '2/2');
    assert.equal(await last('assistant').getAttribute('id'), second);
  });

  await check('editing shows itself, can be left, and keeps what was typed', async () => {
    await page.fill('#prompt', 'a draft');
    await page.locator('.message.user').first().hover();
    await tool(page.locator('.message.user').first(), 'Edit').click();
    assert.equal(await page.inputValue('#prompt'), 'Hello! Who are you?');
    assert(await page.locator('#editing').isVisible());
    assert.equal(await page.locator('.message.edited').count(), 1);
    await accessible('editing');
    await shot('editing-light');
    await page.click('#stop-editing');
    assert.equal(await page.inputValue('#prompt'), 'a draft');
    assert.equal(await page.locator('.message.edited, #editing:not([hidden])').count(), 0);
    await page.fill('#prompt', '');
  });

  await check('an edited message begins a branch', async () => {
    const before = await page.locator('.message').count();
    await page.locator('.message.user').first().hover();
    await tool(page.locator('.message.user').first(), 'Edit').click();
    assert.equal(await page.inputValue('#prompt'), 'Hello! Who are you?');
    await say('Hello! What is your name?');
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    await finished();
    assert.equal(await page.locator('.message.user .switcher').first().textContent(), '2/2');
    await tool(page.locator('.message.user').first(), 'Previous version').click();
    await page.waitForFunction((count) => document.querySelectorAll('.message').length === count, before);
    await tool(page.locator('.message.user').first(), 'Next version').click();
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
  });

  await check('a turn that came from elsewhere is gone on from', async () => {
    const conversation = new URL(page.url()).hash.slice(1);
    const before = await page.locator('.message').count();
    const body = JSON.stringify({ model: await page.inputValue('#model'), input: 'From the terminal.', conversation, max_output_tokens: 8 });
    const turn = await fetch(new URL('/v1/responses', url), { method: 'POST', headers, body });
    assert.equal(turn.status, 200);
    await say('And from the page.');
    await page.waitForFunction((count) => document.querySelectorAll('.message').length === count, before + 4);
    await finished();
    const asked = await page.locator('.message.user .body').allTextContents();
    assert.deepEqual(asked.slice(-2), ['From the terminal.', 'And from the page.']);
  });

  await check('a conversation keeps its model', async () => {
    const models = await page.locator('#model option').evaluateAll((options) => options.map(({ value }) => value));
    if (models.length < 2) return;
    const row = page.locator('.conversation a').first();
    await page.selectOption('#model', models[1]);
    await page.keyboard.press('Alt+KeyN');
    await page.waitForFunction(() => !document.querySelector('.message'));
    assert.equal(await page.inputValue('#model'), models[1], 'a new one has the model that was chosen last');
    await page.selectOption('#model', models[0]);
    await row.click();
    await page.waitForSelector('.message.assistant');
    assert.equal(await page.inputValue('#model'), models[0]);
    await page.selectOption('#model', models[1]);
    await tool(last('assistant'), 'Generate again').click();
    await finished();
    await page.waitForFunction(() => /2\/2/.test([...document.querySelectorAll('.switcher')].at(-1)?.textContent));
    await page.selectOption('#model', models[0]);
    await page.reload();
    await page.waitForSelector('.message.assistant');
    assert.equal(await page.inputValue('#model'), models[1], 'that of the last reply');
    await page.selectOption('#model', models[0]);
  });

  await check('replies are rated, and get better answers', async () => {
    await tool(last('assistant'), 'Good reply').click();
    await page.waitForSelector('[aria-label="Good reply"][aria-pressed=true]');
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    assert.equal(focused, 'Good reply', 'the button that was pressed keeps the focus');
    await tool(last('assistant'), 'Bad reply').click();
    await page.waitForSelector('[aria-label="Bad reply"][aria-pressed=true]');
    assert.equal(await page.locator('[aria-label="Good reply"][aria-pressed=true]').count(), 0);
    await tool(last('assistant'), 'Give a better answer').click();
    await page.fill('#ask textarea', 'I am Fireclay.');
    await accessible('better answer');
    await page.click('#ask-ok');
    const given = '[aria-label="Give a better answer"][aria-pressed=true]';
    await page.waitForSelector(given);
    await tool(last('assistant'), 'Give a better answer').click();
    const box = await page.locator('#ask textarea').boundingBox();
    await page.mouse.move(box.x + 50, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(5, box.y + 10, { steps: 3 });
    await page.mouse.up();
    assert(await page.evaluate(() => document.querySelector('#ask').open), 'a press within a dialog does not close it');
    await page.click('#ask-none');
    await page.waitForFunction((selector) => !document.querySelector(selector), given);
    assert(await page.locator('[aria-label="Bad reply"][aria-pressed=true]').count(), 'the thumb stays');
    await tool(last('assistant'), 'Give a better answer').click();
    await page.fill('#ask textarea', 'I am Fireclay.');
    await page.click('#ask-ok');
    await page.waitForSelector(given);
  });

  await check('a reply is copied', async () => {
    await tool(last('assistant'), 'Copy').click();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.notEqual(text.trim(), '');
  });

  await check('after a reload the conversation is there, with branch and rating', async () => {
    const before = await page.locator('#thread').textContent();
    await page.reload();
    await page.waitForSelector('.message.assistant');
    assert.equal(await page.locator('#thread').textContent(), before);
    await page.waitForSelector('[aria-label="Bad reply"][aria-pressed=true]');
  });

  await check('the persona is the conversation’s own and a new one can be made', async () => {
    await settings(async () => {
      await page.click('#add-persona');
      await page.locator('#personas input').last().fill('Pirate');
      await page.locator('#personas textarea').last().fill('You speak as a pirate.');
    });
    await settings(async () => {
      const rows = page.locator('.persona-edit');
      const before = await rows.count();
      await rows.last().getByRole('button', { name: 'Delete' }).click();
      await page.waitForFunction(() => document.querySelector('#ask').open);
      await page.keyboard.press('Escape');
      assert.equal(await rows.count(), before, 'a persona is not deleted without a question');
    });
    await page.selectOption('#persona', { label: 'Pirate' });
    const messages = await page.locator('.message').count();
    await say('Who goes there?');
    await page.waitForFunction((count) => document.querySelectorAll('.message').length === count, messages + 2);
    await finished();
    await page.reload();
    await page.waitForSelector('.message.assistant');
    assert.equal(await page.inputValue('#persona'), 'You speak as a pirate.');
  });

  await check('conversations are renamed, found, exported, imported and deleted', async () => {
    const row = page.locator('.conversation.current');
    await row.hover();
    await row.getByRole('button', { name: /^Rename/ }).click();
    await page.fill('#ask input', 'x'.repeat(501));
    await page.click('#ask-ok');
    assert(await page.evaluate(() => document.querySelector('#ask').open), 'a title that is too long is not accepted');
    assert.match(await page.evaluate(() => document.querySelector('#ask input').validationMessage), /At most 500 characters/);
    await page.fill('#ask input', 'Ahoy there');
    await page.press('#ask input', 'Enter');
    await page.waitForFunction(() => document.querySelector('#title').textContent === 'Ahoy there');
    const downloading = page.waitForEvent('download');
    await page.click('#export');
    const path = await (await downloading).path();
    const exported = JSON.parse(readFileSync(path, 'utf8'));
    assert.equal(exported.object, 'fireclay.conversation');
    assert(exported.messages.some((message) => message.rating?.better === 'I am Fireclay.'));
    const shown = await page.locator('.message').count();
    await importFile({ ...exported, title: 'Imported once' });
    assert.equal(await page.locator('.message').count(), shown);
    await page.fill('#search', 'ahoy');
    await page.waitForFunction(() => document.querySelectorAll('.conversation').length === 1);
    await page.fill('#search', '');
    await page.waitForFunction(() => document.querySelectorAll('.conversation').length === 2);
    await deleteOpen();
    await page.waitForFunction(() => document.querySelectorAll('.conversation').length === 1);
  });

  await check('a hostile reply is text', async () => {
    await importFile(file([['user', '<script>alert(0)</script>'], ['assistant', HOSTILE], ['user', '\u202e rtl'], ['assistant', 'مرحبا **بالعالم** 🙂 \u202e txet']], 'Hostile <b>title</b>'));
    await page.waitForSelector('.message.assistant');
    for (const element of ['script', 'img', 'iframe', 'style', 'link', 'svg[onload]', '[onmouseover]', 'a[href^="javascript"]', 'a[href^="data"]']) {
      assert.equal(await page.locator(`#thread .body ${element}`).count(), 0, element);
    }
    for (const link of await page.locator('#thread .body a[href]').all()) {
      assert.match(await link.getAttribute('href'), /^(https?|mailto):/);
      assert.match(await link.getAttribute('rel'), /noopener/);
    }
    assert((await page.locator('#thread').textContent()).includes('<script>alert(1)</script>'));
    await page.waitForTimeout(300);
  });

  await check('a reply of 1 MB is shown, and the page still answers', async () => {
    await importFile(file([['user', 'long'], ['assistant', '<script>alert(8)</script> **x** '.repeat(33_000)]], 'A long one'));
    await page.waitForSelector('.message.assistant');
    const begun = Date.now();
    await page.fill('#prompt', 'still here');
    assert(Date.now() - begun < 5000);
    await page.fill('#prompt', '');
    assert.equal(await page.locator('#thread .body script').count(), 0);
  });

  await check('Markdown is rendered, and code is copied', async () => {
    const code = 'fn main() {\n    println!("{}", 1 + 1);\n}';
    const reply = `## Adding\n\nA *small* program and **what** it says:\n\n\`\`\`rust\n${code}\n\`\`\`\n\n| in | out |\n|---|---|\n| 1 + 1 | 2 |\n\n> Two, as one would hope.`;
    await importFile(file([['user', 'How do I add in Rust?'], ['assistant', reply]], 'Adding in Rust'));
    await page.click('.copy-code');
    assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), code);
    await accessible('Markdown');
    await shot('markdown-light');
  });

  await check('keyboard shortcuts work, and help lists them', async () => {
    await page.locator('#scroll').focus();
    await page.keyboard.press('?');
    assert(await page.locator('#help').isVisible());
    await accessible('help');
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    assert(await page.evaluate(() => document.activeElement.id === 'prompt'));
    await page.keyboard.press('ArrowUp');
    assert.equal(await page.inputValue('#prompt'), 'How do I add in Rust?');
    await page.keyboard.press('Escape');
    assert.equal(await page.inputValue('#prompt'), '');
    await page.keyboard.press('Alt+KeyB');
    assert(await page.evaluate(() => document.querySelector('#sidebar').inert));
    await page.keyboard.press('Alt+KeyB');
    await page.keyboard.press('Alt+KeyN');
    await page.waitForFunction(() => !document.querySelector('.message'));
    await page.goBack();
    await page.waitForSelector('.message');
  });

  await check('a conversation that outgrows the context goes on, and the page says so', async () => {
    await page.locator('.conversation').last().click();
    await page.waitForFunction(() => /of \d+/.test(document.querySelector('#context').textContent));
    const context = Number((await page.locator('#context').textContent()).match(/of (\d+)/)[1]);
    const exchange = [['user', 'clay '.repeat(context / 8)], ['assistant', 'Yes.']];
    await importFile(file(Array(12).fill(exchange).flat(), 'Too long'));
    await say('Hello!');
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 26);
    await finished();
    assert.match(await page.locator('#left-out').textContent(), /no longer reads the first/);
    await tool(last('assistant'), 'Good reply').click();
    await page.waitForSelector('[aria-label="Good reply"][aria-pressed=true]');
    await page.reload();
    await page.waitForSelector('[aria-label="Good reply"][aria-pressed=true]');
    assert.match(await page.locator('#left-out').textContent(), /no longer reads the first/);
    await shot('left-out-light');
    await deleteOpen();
    await page.locator('.conversation').first().click();
    await page.waitForSelector('.message.assistant');
  });

  const api = async (method, path, body) => (await fetch(new URL(`/ui/api/conversations${path}`, url), { method, headers, body: body && JSON.stringify(body) })).json();
  /** Answers requests of this method and address so much later. */
  const slow = (address, method, milliseconds) => page.route(address, async (route) => {
    if (route.request().method() === method) await new Promise((resolve) => { setTimeout(resolve, milliseconds); });
    await route.continue();
  });

  await check('a message goes to the conversation in which it was written, once', async () => {
    await page.click('#new');
    await slow('**/ui/api/conversations', 'POST', 400);
    await say('Sent twice?');
    await page.waitForTimeout(100);
    await page.press('#prompt', 'Enter');
    await page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    await finished();
    await page.unrouteAll({ behavior: 'wait' });
    const { conversations } = await api('GET', '?search=Sent+twice');
    assert.equal(conversations.length, 1);
    await deleteOpen();
    const [one, other] = [await api('POST', '/import', file([['user', 'a'], ['assistant', 'b']], 'One')), await api('POST', '/import', file([['user', 'a'], ['assistant', 'b']], 'Other'))];
    await page.goto(`${url}#${one.id}`);
    await page.reload();
    await page.waitForFunction(() => document.querySelector('#title').textContent === 'One');
    await slow(`**/ui/api/conversations/${one.id}`, 'GET', 600);
    await say('Meant for one.');
    await page.waitForTimeout(100);
    await page.locator(`[data-id="${other.id}"] a`).click();
    await page.waitForFunction(() => document.querySelector('#title').textContent === 'Other');
    for (let tries = 0; (await api('GET', `/${one.id}`)).messages.length < 4 && tries < 50; tries += 1) await page.waitForTimeout(100);
    await finished();
    await page.unrouteAll({ behavior: 'wait' });
    assert.equal((await api('GET', `/${one.id}`)).messages[2].content, 'Meant for one.');
    assert.equal((await api('GET', `/${other.id}`)).messages.length, 2);
    for (const { id } of [one, other]) await api('DELETE', `/${id}`);
  });

  await check('what was typed survives a reload, and the key of an input method sends nothing', async () => {
    await page.click('#new');
    await page.fill('#prompt', 'a long draft');
    await page.evaluate(() => document.querySelector('#prompt').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true })));
    await page.reload();
    await page.waitForFunction(() => document.querySelector('#prompt').value === 'a long draft');
    assert.equal(await page.locator('.message').count(), 0);
    await page.fill('#prompt', '');
    await page.locator('.conversation').first().locator('a').click();
    await page.waitForSelector('.message');
    const address = page.url();
    await page.locator('a.skip').focus();
    await page.keyboard.press('Enter');
    assert.deepEqual([page.url(), await page.evaluate(() => document.activeElement.id)], [address, 'prompt']);
  });

  await check('tabs keep one another’s settings, and a browser that keeps nothing has the page too', async () => {
    const tab = await context.newPage();
    await tab.goto(url);
    await tab.waitForSelector('#persona option', { state: 'attached' });
    await settings(async () => {
      await page.click('#add-persona');
      await page.locator('#personas input').last().fill('Poet');
      await page.locator('#personas textarea').last().fill('You speak in verse.');
    });
    await tab.waitForFunction(() => [...document.querySelectorAll('#persona option')].some((option) => option.textContent === 'Poet'));
    await tab.click('#theme');
    const names = await tab.evaluate(() => JSON.parse(localStorage['fireclay.settings']).personas.map(({ name }) => name));
    assert(names.includes('Poet'));
    await tab.click('#theme');
    await tab.close();
    await settings(async () => {
      await page.locator('.persona-edit').last().getByRole('button', { name: 'Delete' }).click();
      await page.click('#ask-ok');
    });
    if (key) return;
    const closed = await browser.newContext({ locale: 'en-US' });
    const bare = await closed.newPage();
    bare.on('pageerror', (error) => faults.push(`without storage: ${error}`));
    await bare.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new DOMException('insecure', 'SecurityError'); } });
    });
    await bare.goto(url);
    await bare.waitForSelector('.conversation');
    await bare.click('#theme');
    await closed.close();
  });

  await check('the list keeps its length, and the keyboard its place in it', async () => {
    const made = [];
    for (let index = 0; index < 55; index += 1) made.push((await api('POST', '/import', file([['user', 'a'], ['assistant', 'b']], `Row ${index}`))).id);
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll('.conversation').length === 50);
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll('.conversation').length > 55);
    const rows = await page.locator('.conversation').count();
    await page.locator(`[data-id="${made[3]}"] a`).focus();
    const drawn = page.waitForResponse((response) => response.url().includes('/ui/api/conversations?'));
    await page.evaluate(() => { document.querySelector('.conversation').dataset.old = ''; window.dispatchEvent(new Event('focus')); });
    await drawn;
    await page.waitForFunction(() => !document.querySelector('[data-old]'));
    assert.equal(await page.locator('.conversation').count(), rows);
    assert.equal(await page.evaluate(() => document.activeElement.closest('.conversation')?.dataset.id), made[3]);
    for (const id of made) await api('DELETE', `/${id}`);
    await page.reload();
    await page.waitForSelector('.message');
  });

  await check('the theme can be changed and is remembered', async () => {
    await page.click('#theme');
    await page.reload();
    await page.waitForSelector('.message.assistant');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.waitForTimeout(300);
    await accessible('dark');
    await shot('desktop-dark');
    await page.click('#open-settings');
    await accessible('settings, dark');
    await shot('settings-dark');
    await page.locator('#settings header button').click();
  });

  await check('the page speaks Chinese', async () => {
    await settings(() => page.selectOption('#language', 'zh'));
    assert.equal(await page.getAttribute('#prompt', 'placeholder'), '请输入');
    assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
    await page.waitForSelector('.message [aria-label="重新生成"]');
    await shot('desktop-zh');
    await settings(() => page.selectOption('#language', 'en'));
  });

  await check('the page fits a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForFunction(() => document.querySelector('#sidebar').inert);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    await shot('phone-dark');
    await page.click('#toggle');
    await page.waitForTimeout(300);
    await accessible('phone');
    await shot('phone-list');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelector('#sidebar').inert);
    await page.click('#toggle');
    await page.locator('.conversation a').first().click();
    await page.waitForFunction(() => document.querySelector('#sidebar').inert);
    await page.click('#theme');
    await shot('phone-light');
    await page.click('#toggle');
    await page.click('#open-settings');
    await page.locator('#settings header button').click();
    assert(await page.evaluate(() => document.querySelector('#sidebar').inert), 'the list is out of the way');
    await page.waitForTimeout(300);
    await tool(page.locator('.message.user').first(), 'Edit').click();
    await page.waitForSelector('#stop-editing');
    await shot('phone-editing');
    await page.click('#stop-editing');
  });

  console.log('everything is as it should be');
} catch (error) {
  console.error(`FAILED: ${step}\n${error.stack}\n${faults.join('\n')}`);
  if (shots) await page.screenshot({ path: join(shots, 'failed.png') });
  process.exitCode = 1;
} finally {
  await browser.close();
}
