import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { processesOf } from '../support/system.ts';
import { ALERTS, damage, systemWithAlerts } from './heal-fixture.ts';

t.test(
  'a database found damaged while it serves is put aside and restored, with the port open',
  async (t) => {
    const system = await systemWithAlerts(t, {});
    damage(system.dataDir);
    const hit = await request(`${system.url}/note?limit=100`);
    like(t, hit.json, { status: 500, code: 'storage_corrupt' }, 'the one that met it is told');
    await Promise.all(
      ['worker-1', 'worker-2'].map((name) => system.waitFor(({ msg }) => msg === `${name} stopped`)),
    );
    const waiting = request(`${system.url}/note?limit=100`);
    await system.waitFor(({ msg }) => msg.startsWith('healed'));
    like(t, await waiting, { status: 200 }, 'one that came meanwhile waited');
    let found = 0;
    let cursor = '';
    do {
      const { json } = await request(`${system.url}/note?limit=100${cursor}`);
      found += json.items.length;
      cursor = json.has_more ? `&cursor=${json.next_cursor}` : '';
    } while (cursor);
    t.equal(found, ALERTS, 'every alert is back');
    t.equal(readdirSync(join(system.dataDir, 'damaged')).length, 1, 'the damaged file is kept');
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('new') })).status, 201);
  },
);

t.test('a stop in the middle of healing ends everything, and brings nothing up any more', async (t) => {
  const system = await systemWithAlerts(t, {});
  damage(system.dataDir);
  await request(`${system.url}/note?limit=100`);
  await system.waitFor(({ msg }) => msg.startsWith('A database is damaged'));
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});
