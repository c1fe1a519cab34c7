import { join } from 'node:path';
import t from 'tap';
import { readHistory } from '../../src/replication/history/history.ts';
import { readMark } from '../../src/replication/history/mark.ts';
import { alertOf, request } from '../support/http.ts';
import { type RunningSystem, start } from '../support/system.ts';

async function write(system: RunningSystem, id: string): Promise<void> {
  const answer = await request(`${system.url}/alert`, {
    method: 'POST',
    body: alertOf(id),
    headers: { Durability: 'replicated' },
  });
  if (answer.status !== 201) throw new Error(answer.text);
}

t.test(
  'after a stop the mark names the last commit of each database, and what the replica has',
  async (t) => {
    const first = await start(t);
    await write(first, 'a');
    await first.stop();
    const system = await start(t, {}, first.dataDir);
    for (const id of ['b', 'c']) await write(system, id);
    await system.stop();
    const { databases } = readMark(system.dataDir)!;
    for (const name of ['main', 'media']) {
      const { sessions, last, lastAtMs } = readHistory(join(system.dataDir, `${name}.db`));
      const mark = databases[name]!;
      t.strictSame(mark.local, { ...last, atMs: lastAtMs }, name);
      t.equal(sessions.length, name === 'main' ? 2 : 1, 'a session that commits nothing is none');
      t.equal(mark.generations.length, 1);
      t.equal(mark.segment!.generation, mark.generations[0]);
    }
  },
);
