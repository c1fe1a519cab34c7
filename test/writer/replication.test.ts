import { join } from 'node:path';
import t from 'tap';
import { ownersOf } from '../../src/features/owners.ts';
import { openWriter } from '../../src/sqlite/open.ts';
import { upgrade } from '../../src/sqlite/upgrade.ts';
import { WalIndex } from '../../src/sqlite/wal-index.ts';
import { Replication } from '../../src/writer/replication.ts';
import { monotonicNowMs } from '../../src/writer-client/protocol.ts';
import { temporaryFolder } from '../support/system.ts';

t.test('heartbeats get rarer while nothing arrives, end, and begin again when something has', async (t) => {
  const path = join(temporaryFolder(t), 'main.db');
  const db = openWriter(path);
  t.teardown(() => db.close());
  upgrade([{ database: 'main', db, owners: ownersOf('main') }], { before: () => {}, beforeCommit: () => {} });
  const replication = new Replication(db, 'session', 1000, 100);
  const index = new WalIndex(path);
  let nowMs = monotonicNowMs();
  /** @returns how many there are in a time in which each may be that is due */
  const beats = (seconds: number) => {
    let count = 0;
    for (let tick = 0; tick < seconds; tick += 1) {
      const before = index.read().frames;
      nowMs += 1000;
      replication.beat(nowMs);
      if (index.read().frames > before) count += 1;
    }
    return count;
  };
  t.equal(beats(60), 5, 'after 2, 4, 8, 16 and 32 s more');
  t.equal(beats(3600), 11);
  t.equal(beats(24 * 3600), 0, 'the rest of the outage');
  replication.confirmed({ salt: 'of a WAL begun since', offsetBytes: 32, generation: 'generation' });
  t.equal(beats(60), 5, 'the store is back, and a heartbeat tells that the last commit is there, too');
  const { salt, offsetBytes } = index.read();
  replication.confirmed({ salt, offsetBytes, generation: 'generation' });
  replication.committed(Date.now());
  t.equal(beats(60), 5);
});
