import { UNKNOWN_HOLDERS } from '../blame.ts';
import { childNames, recoveryOf } from '../faults.ts';
import type { Stage } from '../stage.ts';
import { atMost, type Trial } from '../trial.ts';

const HANG_TIMEOUT_MS = 2000;
const STALL_TIMEOUT_MS = 5000;
/** The time that the primary allows beyond the timeout to a child without a heartbeat, and the successor's boot. */
const GRACE_MS = 4000;
const GIVE_UP_MS = 30_000;
/** Matches all workers but the first: one worker is enough. */
const ANOTHER_WORKER = /^worker-(?!1$)/;

export const processStopped: Trial = {
  name: 'process-stopped',
  fault: 'SIGSTOP a child of each role in turn',
  size: { unit: 'times', full: 3, short: undefined },
  victims: /^(?!worker-(?!1$))/,
  limits: [
    atMost(0, 'processes', 'stopped and not replaced'),
    atMost(HANG_TIMEOUT_MS + GRACE_MS, 'ms', 'until a Node child was replaced'),
    atMost(STALL_TIMEOUT_MS + GRACE_MS, 'ms', 'until litestream was replaced'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
  ],
  async run(stage, rounds) {
    await stage.start({
      HANG_TIMEOUT_MS: String(HANG_TIMEOUT_MS),
      REPLICA_STALL_TIMEOUT_MS: String(STALL_TIMEOUT_MS),
    });
    await stage.startLoad();
    const replaced: Replacement[] = [];
    const notReplaced: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const name of childNames(stage).filter((child) => !ANOTHER_WORKER.test(child))) {
        stage.progress(`round ${round + 1} of ${rounds}: ${name}`);
        const tookMs = await stopChild(stage, name);
        if (tookMs === undefined) notReplaced.push(name);
        else replaced.push({ name, tookMs });
        await stage.sleep(700);
      }
    }
    return {
      injected: replaced.length + notReplaced.length,
      recoveryMs: replaced.map(({ tookMs }) => tookMs),
      figures: {
        'until a Node child was replaced': longestMs(replaced, (name) => name !== 'litestream'),
        'until litestream was replaced': longestMs(replaced, (name) => name === 'litestream'),
        'stopped and not replaced': notReplaced.length,
      },
      notes: [
        `HANG_TIMEOUT_MS=${HANG_TIMEOUT_MS}, REPLICA_STALL_TIMEOUT_MS=${STALL_TIMEOUT_MS}; recovery includes them`,
        ...notReplaced.map((name) => `${name} was not replaced within ${GIVE_UP_MS} ms`),
      ],
    };
  },
};

interface Replacement {
  readonly name: string;
  readonly tookMs: number;
}

function longestMs(replaced: readonly Replacement[], isMeant: (name: string) => boolean): number {
  const meant = replaced.filter(({ name }) => isMeant(name));
  return meant.length === 0 ? Number.NaN : Math.max(...meant.map(({ tookMs }) => tookMs));
}

/** @returns the time until the successor was ready; undefined when the child was not replaced in time */
async function stopChild(stage: Stage, name: string): Promise<number | undefined> {
  const { system } = stage;
  const from = system.lines.length;
  const pid = system.pidOf(name);
  const faultMs = Date.now();
  process.kill(pid, 'SIGSTOP');
  try {
    const fault = { name, faultMs, holders: UNKNOWN_HOLDERS };
    const { recoveredMs } = await recoveryOf(stage, from, fault, GIVE_UP_MS);
    return recoveredMs - faultMs;
  } catch {
    process.kill(pid, 'SIGCONT');
    return undefined;
  }
}
