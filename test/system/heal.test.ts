import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { damage, NOTES, systemWithNotes } from './heal-fixture.ts';

t.test(
  'a database found damaged while it serves is put aside and restored, with the port open',
  async (t) => {
    const system = await systemWithNotes(t, {});
    damage(system.dataDir);
    const hit = await request(`${system.url}/note?limit=100`);
    like(t, hit.json, { status: 500, code: 'storage_corrupt' }, 'the one that met it is told');
    await Promise.all(
      ['worker-1', 'worker-2'].map((name) => system.waitFor(({ msg }) => msg === `${name} stopped`)),
    );
    const waiting = request(`${system.url}/note?limit=100`);
    await system.waitFor(({ msg }) => msg.startsWith('healed'));
    like(t, await waiting, { status: 200 }, 'one that came meanwhile waited');
    const { items } = (await request(`${system.url}/note`)).json;
    t.equal(items.length, NOTES, 'every note is back');
    t.equal(readdirSync(join(system.dataDir, 'damaged')).length, 1, 'the damaged file is kept');
    t.equal((await request(`${system.url}/note`, { method: 'POST', body: noteOf('new') })).status, 201);
  },
);
