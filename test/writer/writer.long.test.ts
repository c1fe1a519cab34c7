import { once } from 'node:events';
import t from 'tap';
import { harness } from '../support/writer-harness.ts';

t.test(
  'a writer killed again and again applies every write exactly once, and no client sees it',
  async (t) => {
    const { client, start, rows } = harness(t, { deadlineMs: 20_000 });
    let writer = await start();
    const WRITES = 3000;
    let done = 0;
    const write = async (index: number) => {
      await client.write('count.add', { id: `${index}` });
      done += 1;
    };
    const lanes = Array.from({ length: 30 }, async (_, lane) => {
      for (let index = lane; index < WRITES; index += 30) await write(index);
    });
    const all = Promise.all(lanes);
    let kills = 0;
    while (done < WRITES * 0.9) {
      const target = done + WRITES * 0.08;
      while (done < target && done < WRITES) await new Promise((resolve) => setImmediate(resolve));
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      kills += 1;
      writer = await start();
    }
    await all;
    const applied = rows();
    t.ok(kills >= 5, `${kills} kills`);
    t.equal(applied.length, WRITES, 'each is there');
    t.same(
      applied.filter(({ times }) => times !== 1),
      [],
      'none was applied twice',
    );
  },
);
