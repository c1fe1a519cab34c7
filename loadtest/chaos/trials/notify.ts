import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustReload } from '../../../src/testing/chaos/commands.ts';
import { atLeast, atMost, withSpeed } from '../../../src/testing/chaos/trial.ts';
import { s3Environment, startS3Server } from '../../../src/testing/s3-server.ts';
import { type MessageTrap, startMessageTrap } from '../../support/message-trap.ts';
import { StoreProxy } from '../../support/store-proxy.ts';
import { fill, mountDisk, obstacleToDisks } from '../small-disk.ts';
import type { Stage } from '../stage.ts';
import type { Trial } from '../trial.ts';

const HEARTBEAT_MS = 1000;
const LAG_MAX_MS = 1000;
/** Allowance beside the period: the time between two checks, and from the writer to them. */
const LOOKS_MS = 3000;
const TOLD_TIMEOUT_MS = 300_000;
const DISK_MIB = 512;
const VICTIM = 'worker-1';
/** A reload refuses code that crashes as soon as it serves, so this code waits for a file. */
const crashOnceThere = (path: string) => `  setInterval(() => {
    const isToCrash = process.title === 'ninelives ${VICTIM}' && process.getBuiltinModule('fs').existsSync('${path}');
    if (isToCrash) throw new Error('crashes again and again');
  }, 500);
  return () => {};`;

/** Each condition must bring one message, and one at its end. */
const ONCE = [
  atMost(0, 'conditions', 'not told once and ended once'),
  atMost(0, 'messages', 'of something else'),
  atMost(10, 'messages', 'told within the hour'),
];

/** The operator is told of lasting problems and of crashes. The size is NOTIFY_AFTER_MS in seconds. */
export const notify: readonly Trial[] = [
  {
    name: 'notify-cut',
    fault: `the replica's store is cut off for long; the operator is told, and the heartbeat ends`,
    size: { unit: 'seconds', full: 60, short: 4 },
    victims: /^litestream$/,
    limits: [
      ...ONCE,
      withSpeed(atMost(0, 'beats', 'heartbeats beyond the period')),
      atLeast(1, 'beats', 'heartbeats before the fault'),
      atLeast(1, 'beats', 'heartbeats after it'),
    ],
    async run(stage, seconds) {
      const trap = await trapFor(stage);
      const store = await startS3Server();
      stage.defer(() => store.destroy());
      const proxy = await StoreProxy.start(store.endpoint);
      stage.defer(() => proxy.close());
      const replica = s3Environment({ ...store, endpoint: proxy.endpoint }, 'notify');
      await stage.start({ ...settings(trap, seconds), ...replica, OVERLOAD_LAG_MS: '0' });
      await stage.startLoad({ requestsPerSecond: 100 });
      await stage.until(() => trap.beatsAtMs().length > 1, 'the heart beats');
      const before = trap.beatsAtMs().length;
      stage.progress('cut off');
      const cutAtMs = Date.now();
      await proxy.become('refuse');
      await told(stage, trap, 'replication', 'problem');
      const openAtMs = Date.now();
      await proxy.become('open');
      stage.progress('open again');
      await told(stage, trap, 'replication', 'ended');
      await stage.until(() => trap.beatsAtMs().some((atMs) => atMs > openAtMs), 'the heart beats again');
      await stage.stopLoad();
      const silentFromMs = cutAtMs + LAG_MAX_MS + HEARTBEAT_MS + LOOKS_MS;
      const beats = trap.beatsAtMs();
      return {
        injected: 1,
        figures: {
          ...judged(trap, ['replication']),
          'heartbeats beyond the period': beats.filter((atMs) => atMs > silentFromMs && atMs < openAtMs)
            .length,
          'heartbeats before the fault': before,
          'heartbeats after it': beats.filter((atMs) => atMs > openAtMs).length,
        },
        notes: notesOf(trap),
      };
    },
  },
  {
    name: 'notify-crashes',
    fault: 'a primary killed, a crash loop, a full disk; the operator is told of each',
    size: { unit: 'seconds', full: 60, short: 4 },
    // Litestream ends on a full disk.
    victims: /^(worker-1|litestream)$/,
    obstacle: obstacleToDisks,
    limits: ONCE,
    async run(stage, seconds) {
      const trap = await trapFor(stage);
      mountDisk(stage, DISK_MIB);
      const env = {
        ...settings(trap, seconds),
        REPLICA_URL: `file:${join(stage.folder, 'replica')}`,
        RESTART_INTENSITY: '2',
        // A drill fails on a full disk, and would bring another condition at its own time.
        DRILL_INTERVAL_MS: '0',
      };
      const killed = await stage.start(env);
      const load = await stage.startLoad({ requestsPerSecond: 100 });
      stage.progress('killing the primary');
      killed.kill('SIGKILL');
      await killed.ended();
      await load.stop();
      await stage.start(env);
      const second = await stage.startLoad({ requestsPerSecond: 100 });
      await told(stage, trap, 'primary', 'ended');

      stage.progress('deploying a crash');
      const crash = join(stage.dataDir, 'crash');
      stage.deployment.addFeature('chaos', crashOnceThere(crash));
      await mustReload(stage);
      writeFileSync(crash, '');
      await told(stage, trap, VICTIM, 'problem');
      stage.deployment.removeFeatures();
      await mustReload(stage);
      await told(stage, trap, VICTIM, 'ended');

      stage.progress('filling the disk');
      const ballast = join(stage.dataDir, 'ballast');
      const full = second.counts.storageFull;
      await stage.until(() => {
        fill(ballast);
        return second.counts.storageFull > full;
      }, 'writes are answered with 507');
      await stage.until(
        () => {
          fill(ballast);
          return isTold(trap, 'storage', 'problem');
        },
        'the full disk is told',
        TOLD_TIMEOUT_MS,
      );
      rmSync(ballast);
      await told(stage, trap, 'storage', 'ended');
      await stage.stopLoad();
      return { injected: 3, figures: judged(trap, ['primary', VICTIM, 'storage']), notes: notesOf(trap) };
    },
  },
];

async function trapFor(stage: Stage): Promise<MessageTrap> {
  const trap = await startMessageTrap();
  stage.defer(() => trap.close());
  return trap;
}

function settings({ url }: MessageTrap, seconds: number): NodeJS.ProcessEnv {
  return {
    NOTIFY_URL: `${url}/messages`,
    HEARTBEAT_URL: `${url}/heartbeat`,
    NOTIFY_AFTER_MS: String(seconds * 1000),
    HEARTBEAT_INTERVAL_MS: String(HEARTBEAT_MS),
    HEARTBEAT_LAG_MAX_MS: String(LAG_MAX_MS),
  };
}

function isTold(trap: MessageTrap, name: string, status: string): boolean {
  return trap.messages().some((message) => message.condition === name && message.status === status);
}

async function told(stage: Stage, trap: MessageTrap, name: string, status: string): Promise<void> {
  await stage.until(() => isTold(trap, name, status), `${name}: ${status}`, TOLD_TIMEOUT_MS);
}

function judged(trap: MessageTrap, names: readonly string[]): Record<string, number> {
  const messages = trap.messages();
  const wrong = names.filter((name) => {
    const statuses = messages.filter(({ condition }) => condition === name).map(({ status }) => status);
    return statuses.join() !== 'problem,ended';
  });
  // A slow start on a busy machine is reported, too.
  const others = messages.filter(({ condition }) => !names.includes(condition) && condition !== 'system');
  return {
    'not told once and ended once': wrong.length,
    'of something else': others.length,
    'told within the hour': messages.length,
  };
}

/** A busy machine brings other conditions, such as a slow start. */
function notesOf(trap: MessageTrap): readonly string[] {
  const all = trap.messages().map(({ condition, status }) => `${condition} ${status}`);
  return [`told: ${all.join(', ')}`];
}
