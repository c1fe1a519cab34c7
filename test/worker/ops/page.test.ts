import t from 'tap';
import { openPage } from '../../support/browser.ts';
import { noteOf, request } from '../../support/http.ts';
import { startPair } from '../../support/system.ts';
import { pidOf, skip } from './page-fixture.ts';

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
