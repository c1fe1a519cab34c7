import { spawnSync } from 'node:child_process';
import { atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { runHaproxy, twoServers } from '../../support/haproxy.ts';
import { runCommand } from '../failover/command.ts';
import type { Pair } from '../failover/pair.ts';
import { OF_TWO } from '../failover/promises.ts';
import { onPair } from '../failover/scene.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

/** The default. */
const TTL_MS = 12_000;
const LIFE_MS = 2000;
const WAITED_MAX_MS = 10_000;
const PATIENCE_MS = 60_000;
const FAILED = 'keyed requests that failed';
const REFUSED = 'handovers that were refused';

export const failoverHandover: Trial = {
  name: 'failover-handover',
  fault: 'of two systems behind HAProxy the one that leads hands over to the other under load',
  size: { unit: 'times', full: 20, short: 1 },
  victims: undefined,
  limits: [
    ...OF_TWO,
    // On a busy machine a health check may miss its second; HAProxy then sends requests to neither system.
    withSpeed(atMost(0, 'requests', FAILED)),
    atMost(0, 'times', REFUSED),
    atMost(0, 'writes', 'acknowledged locally, then lost'),
    atMost(WAITED_MAX_MS, 'ms', 'worst recovery'),
  ],
  obstacle: () => (spawnSync('haproxy', ['-v']).status === 0 ? undefined : 'haproxy is not installed'),
  run: (stage, times) =>
    onPair(
      stage,
      {
        ttlMs: TTL_MS,
        hasPeers: true,
        env: { RATE_LIMIT_KEY_PER_MINUTE: '1000000' },
        front: (pair) => behindHaproxy(stage, pair),
      },
      async ({ pair, clients, promises, recoveryMs }) => {
        const notes: string[] = [];
        let refused = 0;
        for (let turn = 0; turn < times; turn += 1) {
          stage.progress(`${turn} of ${times}`);
          const leader = await pair.heal();
          await stage.sleep(LIFE_MS);
          const { code, stdout, stderr } = await runCommand(stage, leader, ['handover']);
          const seconds = /waited for ([\d.]+) s/.exec(stdout)?.[1];
          if (seconds !== undefined) recoveryMs.push(Number(seconds) * 1000);
          if (code !== 0) {
            refused += 1;
            notes.push(stderr.trim());
          }
          promises.judge(await pair.heal());
        }
        const failed = Object.values(clients.refusals).reduce((sum, count) => sum + count, 0);
        return {
          injected: times,
          figures: { [FAILED]: failed, [REFUSED]: refused },
          notes: [...notes, ...clients.told],
        };
      },
    ),
};

/** Behind a proxy no client is local, so the clients need a key. */
async function behindHaproxy(stage: Stage, pair: Pair) {
  const ports = pair.urls.map((url) => new URL(url).port) as [string, string];
  const port = await runHaproxy(stage.folder, twoServers(ports), [], (child) =>
    stage.defer(() => void child.kill('SIGKILL')),
  );
  const leader = await pair.leader();
  const { stdout } = await runCommand(stage, leader, [
    'keys',
    'create',
    '--name',
    'proxy',
    '--scope',
    'write',
  ]);
  return {
    urls: [`http://127.0.0.1:${port}`],
    // A waiting request must be answered, however long that takes.
    patienceMs: [PATIENCE_MS],
    headers: { Authorization: `Bearer ${/nl_\S+/.exec(stdout)?.[0]}` },
  };
}
