import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HonestClients, killEverything, startApp } from 'ninelives/testing';

test('nothing that was acknowledged is lost, whatever dies', async (t) => {
  const app = await startApp({ env: { WORKERS: '2', SPARE_WORKERS: '2' } });
  t.after(() => app.destroy());
  const clients = new HonestClients({
    url: app.url,
    connections: 8,
    write: (sequence) => ({ method: 'POST', path: '/notes', body: { text: `note ${sequence}` } }),
    read: ({ body }) => ({ path: `/notes/${(body as { id: number }).id}` }),
  });
  await killEverything(app);
  await clients.stop();
  assert.deepEqual(await clients.lost(), []);
  assert.ok(clients.acknowledged.length > 0);
  // What a worker had in its hands dies with it: a proxy in front sends that again.
  assert.ok(clients.failed.length <= 2 * 8, `${clients.failed.length} failed`);
});
