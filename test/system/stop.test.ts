import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findLitestream } from '../../src/replication/binary.ts';
import { everyWriteIsThere } from '../support/history.ts';
import { request } from '../support/http.ts';
import { writeNotes } from '../support/note-clients.ts';
import { restoreByHand } from '../support/restore.ts';
import { processesOf, start, temporaryFolder, until } from '../support/system.ts';
import { DRAIN_TIMEOUT_MS } from './stop-fixture.ts';

t.test('SIGTERM under load answers what is under way, ships the last write and exits 0', async (t) => {
  const system = await start(t, { DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS) });
  const clients = writeNotes(t, {
    url: system.url,
    connections: 30,
    prefix: 'stop',
    hungAfterMs: 10_000,
  });
  await until(() => clients.acknowledged.length > 100, 'writes are answered');
  const stopped = system.stop();
  await until(() => clients.failed.length > 0, 'the first client is refused');
  await clients.stop();
  const { code, tookMs } = await stopped;
  t.equal(code, 0);
  t.ok(tookMs < DRAIN_TIMEOUT_MS, `within the deadline: ${Math.round(tookMs)} ms`);
  const kinds = new Set(clients.failed.map(({ detail }) => detail));
  t.same([...kinds], ['ECONNREFUSED'], 'no request under way was cut; only new connections are refused');
  t.same(processesOf(system.dataDir), [], 'nothing is left behind');
  everyWriteIsThere(t, restoreByHand(t, system.dataDir), clients.acknowledged);
});

t.test('a script in the place of Litestream that does not exec it leaves none behind', async (t) => {
  const { path } = await findLitestream({ litestreamBin: undefined });
  const script = join(temporaryFolder(t), 'litestream');
  writeFileSync(script, `#!/bin/sh\n'${path}' "$@"\nexit\n`, { mode: 0o755 });
  const system = await start(t, { WORKERS: '1', SPARE_WORKERS: '0', LITESTREAM_BIN: script });
  t.equal((await system.stop()).code, 0);
  t.same(processesOf(system.dataDir), []);
});

t.test('signals that mean something to other daemons neither end it nor open a debugger', async (t) => {
  const system = await start(t, { WORKERS: '1', SPARE_WORKERS: '0' });
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
    system.kill(signal);
    await system.waitFor(({ msg }) => msg === `${signal} does nothing; SIGHUP reloads, SIGTERM stops`);
  }
  t.equal((await request(`${system.url}/ready`)).status, 200);
  t.equal(system.stderr, '');
});
