// Takes the pictures of the web page in docs/: web-page.png, and web-page-phone.png in the dark.
//
//     fireclay serve --model runs/tiny --db /tmp/pictures.db                # an empty database
//     mkdir /tmp/browser && cd /tmp/browser && npm install playwright-core
//     node …/scripts/page_pictures.mjs http://127.0.0.1:8080 …/docs [--chromium /usr/bin/chromium]
//
// Look at them before they are committed: what the model says is drawn by chance. Tested with playwright-core 1.61.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import assert from 'node:assert/strict';

// The package lies where the command is run, not beside this file.
const require = createRequire(join(process.cwd(), 'package.json'));
const { chromium } = require('playwright-core');

const [url, folder, ...flags] = process.argv.slice(2);
assert(url && folder, 'give the server’s address and the folder of the pictures');
const executablePath = flags[0] === '--chromium' ? flags[1] : '/usr/bin/chromium';

const CONVERSATIONS = [['How much is 47 + 38?'], ['Do you like music?'], ['Hello! Who are you?', 'Tell me a story about a flamingo.']];

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1100, height: 720 }, locale: 'en-US', colorScheme: 'light' });
await page.goto(url);
await page.waitForFunction(() => document.querySelector('#model').options.length > 0);

const finished = (messages) => page.waitForFunction((count) =>
  document.querySelectorAll('.message').length === count && document.querySelector('#stop').hidden && !document.querySelector('.writing'), messages);
const reply = page.locator('#thread > .message.assistant').last();
const press = (name) => reply.getByRole('button', { name, exact: true }).click();

for (const questions of CONVERSATIONS) {
  await page.keyboard.press('Alt+KeyN');
  await page.waitForFunction(() => !document.querySelector('.message'));
  for (const [index, question] of questions.entries()) {
    await page.fill('#prompt', question);
    await page.keyboard.press('Enter');
    await finished(2 * index + 2);
  }
}
await press('Generate again');
await finished(4);
await press('Good reply');
await page.mouse.move(0, 0);
await page.evaluate(() => document.activeElement.blur());
await page.screenshot({ path: join(folder, 'web-page.png') });

await page.setViewportSize({ width: 390, height: 780 });
await page.emulateMedia({ colorScheme: 'dark' });
await page.waitForTimeout(500);
await page.screenshot({ path: join(folder, 'web-page-phone.png') });
console.log((await page.locator('#thread .body').allTextContents()).map((text) => text.trim()).join('\n'));
await browser.close();
