import t from 'tap';
import { command } from '../../cli/command.ts';
import { openPage } from '../../support/browser.ts';
import { noteOf, request } from '../../support/http.ts';
import { startPair } from '../../support/system.ts';
import { pidOf, skip } from './page-fixture.ts';

/** What says that a request has come through a proxy, and so from elsewhere. */
const FROM_ELSEWHERE = { Via: '1.1 proxy' };

t.test('the page outlives the workers that serve it', { skip }, async (t) => {
  const system = await startPair(t);
  const { page } = await openPage(t);
  await page.goto(`${system.url}/ops`);
  const before = [await pidOf(page, 'worker-1'), await pidOf(page, 'worker-2')];
  for (const pid of before) process.kill(Number(pid), 'SIGKILL');
  for (const [index, pid] of before.entries()) await pidOf(page, `worker-${index + 1}`, pid);
  await page.locator('#state', { hasText: '● serving' }).waitFor();
});

t.test(
  'a link of the operator opens it without a key, once, and leaves nothing behind',
  { skip },
  async (t) => {
    const system = await startPair(t);
    const env = { DATA_DIR: system.dataDir };
    await command(['keys', 'create', '--name', 'admin', '--scope', 'admin'], env);
    const link = (await command(['ops'], env)).stdout.trim();
    const { page, requested } = await openPage(t);
    // What stands before the system sees the same of it: nothing.
    await page.setExtraHTTPHeaders(FROM_ELSEWHERE);
    await page.goto(link);
    t.equal(await pidOf(page, 'worker-1'), String(system.pidOf('worker-1')));
    t.equal(page.url(), `${system.url}/ops`);
    const token = new URL(link).hash.slice(1);
    // The browser tells of the address as it was typed; none of its requests was for it.
    t.notOk(requested.slice(1).some((url) => url.includes(token)));
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state])',
    );
    t.equal(kept, '[{},{},"",null]');

    await page.reload();
    await page.locator('#key-form').waitFor();
    t.equal(await page.locator('#key-error').textContent(), '');
    await page.goto(link);
    await page.locator('#key-error', { hasText: 'npx ninelives ops' }).waitFor();
    const other = (await command(['ops'], env)).stdout.trim();
    await page.goto(other);
    t.equal(await pidOf(page, 'worker-1'), String(system.pidOf('worker-1')), 'in the same tab');
  },
);

t.test('from elsewhere it asks for a key, and takes one of an admin alone', { skip }, async (t) => {
  const system = await startPair(t);
  const keyOf = async (scope: string) => {
    const made = await command(['keys', 'create', '--name', scope, '--scope', scope], {
      DATA_DIR: system.dataDir,
    });
    return made.stdout.trim();
  };
  const keys = { read: await keyOf('read'), admin: await keyOf('admin') };
  t.equal((await request(`${system.url}/ops/live`, { headers: FROM_ELSEWHERE })).status, 401);
  t.equal((await request(`${system.url}/metrics`, { headers: FROM_ELSEWHERE })).status, 401);

  const { page } = await openPage(t);
  await page.setExtraHTTPHeaders(FROM_ELSEWHERE);
  await page.goto(`${system.url}/ops`);
  await page.locator('#key-form').waitFor();
  t.equal(await page.locator('#main').isVisible(), false);
  await page.fill('#key', keys.read);
  await page.click('#key-form button');
  await page.locator('#key-error', { hasText: 'scope admin' }).waitFor();
  await page.fill('#key', keys.admin);
  await page.click('#key-form button');
  t.equal(await pidOf(page, 'worker-1'), String(system.pidOf('worker-1')));
  t.equal(await page.locator('#key-form').isVisible(), false);

  const id = /^nl_([^_]+)/.exec(keys.admin)![1]!;
  await command(['keys', 'revoke', id], { DATA_DIR: system.dataDir });
  await page.locator('#key-form').waitFor();
});

t.test('the page shows the system live, and each process that comes back', { skip }, async (t) => {
  const system = await startPair(t);
  const { page, complaints, requested } = await openPage(t);
  await page.goto(`${system.url}/ops`);
  for (const name of ['worker-1', 'worker-2', 'writer', 'litestream']) {
    t.equal(await pidOf(page, name), String(system.pidOf(name)), `${name} has its pid`);
  }
  t.match(await page.locator('#state').textContent(), /● serving/);
  t.match(await page.locator('#about').textContent(), system.dataDir);
  t.equal(await page.locator('.chart canvas').count(), 4, 'the charts are drawn');

  // The writes are counted by the writer, and shown with the second that they fell into.
  for (let index = 0; index < 20; index += 1) {
    await request(`${system.url}/note`, { method: 'POST', body: noteOf(`m${index}`) });
  }
  const writes = page.locator('#figures > div', { hasText: 'Writes' }).locator('dd');
  await writes.filter({ hasNotText: /^0 / }).waitFor();

  const writer = String(system.pidOf('writer'));
  process.kill(Number(writer), 'SIGKILL');
  await pidOf(page, 'writer', writer);
  await page
    .locator('#events li', { hasText: 'crash' })
    .filter({ hasText: `writer (pid ${writer})` })
    .first()
    .waitFor();
  await page
    .locator('#events li', { hasText: 'restart' })
    .filter({ hasText: 'killed by SIGKILL' })
    .first()
    .waitFor();

  t.same(complaints, [], 'the browser has nothing to complain of');
  t.same(
    requested.filter((url) => !url.startsWith(system.url) && !url.startsWith('data:')),
    [],
    'nothing comes from elsewhere',
  );
});
