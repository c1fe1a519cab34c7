import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Deployment } from '../../loadtest/chaos/deployment.ts';
import { RunningSystem } from '../../src/testing/running-system.ts';
import { command } from '../cli/command.ts';
import { DEPLOYED_APP } from '../small-app/arguments.ts';
import { noteOf, request } from '../support/http.ts';
import { like } from '../support/like.ts';
import { temporaryFolder } from '../support/system.ts';

t.test(
  'a version whose migration fails replaces no writer and changes no data, and one that works does',
  async (t) => {
    const folder = temporaryFolder(t);
    const { root } = new Deployment(join(folder, 'project'), DEPLOYED_APP);
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    const migrations = join(root, 'test', 'small-app', 'notes', 'migrations');
    const number = String(readdirSync(migrations).length + 1).padStart(4, '0');
    const path = join(migrations, `${number}_next.sql`);
    const system = RunningSystem.launch(dataDir, {}, 'pipe', { root });
    t.teardown(() => system.destroy());
    await system.ready();
    const env = { DATA_DIR: dataDir };
    const write = async (id: string) =>
      (await request(`${system.url}/note`, { method: 'POST', body: noteOf(id) })).status;
    t.equal(await write('before'), 201);

    writeFileSync(path, 'CREATE TABLE notes (x)');
    like(t, await command(['reload'], env), {
      code: 78,
      stderr: /next\.sql failed, and everything was undone: table notes/,
    });
    t.equal(await write('after'), 201, 'the old writer goes on');

    rmSync(path);
    writeFileSync(path, 'CREATE TABLE upgraded (x INTEGER) STRICT');
    t.equal((await command(['reload'], env)).code, 0);
    t.equal(await write('upgraded'), 201);
    t.equal((await request(`${system.url}/note/before`)).status, 200);
    await system.stop();

    // Two at a restart, and that of the last database fails.
    const media = join(root, 'test', 'small-app', 'files', 'migrations');
    const nth = (count: number) => String(count).padStart(4, '0');
    const pending = [
      [join(migrations, `${nth(Number(number) + 1)}_works.sql`), 'ALTER TABLE upgraded ADD COLUMN y INTEGER'],
      [join(media, `${nth(readdirSync(media).length + 1)}_bad.sql`), 'CREATE TABLE files (x)'],
    ] as const;
    for (const [file, sql] of pending) writeFileSync(file, sql);
    const next = RunningSystem.launch(dataDir, {}, 'pipe', { root });
    t.teardown(() => next.destroy());
    like(t, await next.ended(), { code: 78 }, 'a restart stops clearly');

    for (const [file] of pending) rmSync(file);
    const again = RunningSystem.launch(dataDir, {}, 'pipe', { root });
    t.teardown(() => again.destroy());
    await again.ready();
    t.equal((await request(`${again.url}/note/upgraded`)).status, 200, 'the version of before goes on');
  },
);
