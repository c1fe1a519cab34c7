import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { describeStatus } from '../../src/cli/status-view.ts';
import type { SystemEvent, SystemSnapshot } from '../../src/messages/snapshot.ts';
import { like } from '../support/like.ts';
import { startPair } from '../support/system.ts';
import { command } from './command.ts';

t.test('status tells of every process, and events of a crash and its restart', async (t) => {
  const system = await startPair(t);
  const env = { DATA_DIR: system.dataDir };
  await system.waitFor(({ msg }) => msg.startsWith('ready:'));
  const victim = system.pidOf('worker-1');
  await system.killChild('worker-1');

  const json = await command(['status', '--json'], env);
  t.equal(json.code, 0, json.stderr);
  const snapshot: SystemSnapshot = JSON.parse(json.stdout);
  like(t, snapshot, {
    state: 'serving',
    url: system.url,
    dataDir: system.dataDir,
    version: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
    replica: { isOnSameDisk: true },
    status: { ready: true },
    primary: { pid: system.pid },
    lastDrill: null,
    storage: { readOnlyBecause: null },
    listener: { waitingConnections: 0 },
  });
  const names = snapshot.children.filter(({ role }) => role !== 'worker-spare').map(({ name }) => name);
  t.same(names, ['litestream', 'writer', 'worker-1', 'worker-2', 'tally']);
  for (const child of snapshot.children.filter(({ name }) => names.includes(name))) {
    like(t, child, { state: 'ready', breaker: 'closed', pid: system.pidOf(child.name) });
    t.ok((child.rssBytes ?? 0) > 1024 * 1024, `${child.name} has memory`);
  }
  like(
    t,
    snapshot.children.find(({ name }) => name === 'worker-1'),
    { role: 'worker', restarts: 1, lastExitCause: 'killed by SIGKILL' },
  );
  // A busy machine replicates late, and says so.
  const own = (list: readonly SystemEvent[]) => list.filter(({ kind }) => kind !== 'replication');
  const kinds = (list: readonly SystemEvent[]) => own(list).map(({ kind, child }) => [kind, child]);
  t.same(kinds(snapshot.events), [
    ['start', null],
    ['serving', null],
    ['crash', 'worker-1'],
    ['restart', 'worker-1'],
  ]);
  like(t, own(snapshot.events)[2], { pid: victim, cause: 'killed by SIGKILL' });

  const text = await command(['status'], env);
  t.match(text.stdout, /^state +serving/);
  t.match(
    text.stdout,
    new RegExp(`\\nworker-1 +ready +${system.pidOf('worker-1')} .* 1 .*killed by SIGKILL\\n`),
  );
  const status = { ...snapshot.status, ready: false, notReady: [{ name: 'worker', reason: 'none serves' }] };
  t.match(describeStatus({ ...snapshot, status }), /^state +not ready, since /);
  t.notMatch(system.lines, [{ msg: /^operator: status/ }], 'who only looks is not in the log');
  t.equal(statSync(join(system.dataDir, 'run', 'control.sock')).mode & 0o777, 0o600);

  const alone = await command(['handover'], env);
  t.equal(alone.code, 64, 'a system without another one has nobody to hand over to');
  t.match(alone.stderr, /handover is for FAILOVER=lease/);

  await system.stop();
  like(t, await command(['status'], env), { code: 75, stdout: '', stderr: /No system runs on .*npm start/ });
  const after = await command(['events', '--json'], env);
  t.same(
    kinds(
      after.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).at(-1),
    ['stop', null],
  );
  t.match((await command(['events', '--limit', '1'], env)).stdout, /^\S+ \S+Z {2}stop +SIGTERM\n$/);
});
