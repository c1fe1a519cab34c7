import { recoveryOf } from '../faults.ts';
import type { Stage } from '../stage.ts';
import { atLeast, atMost, type Trial } from '../trial.ts';

const HANG_TIMEOUT_MS = 2000;
/** What the primary grants a child that does not beat beyond the timeout, and then the successor's boot. */
const REPLACED_MS = HANG_TIMEOUT_MS + 3000;
const GIVE_UP_MS = 30_000;
/** Longer than it takes to call a child hung, less than a client waits. */
const PRIMARY_STOPPED_MS = 4500;
/** In the order of their importance. The mailer is stopped when there is one. */
const ROLES = ['writer', 'worker-1', 'litestream', 'mailer'];

export const processStopped: Trial = {
  name: 'process-stopped',
  fault: 'SIGSTOP the writer, a worker, litestream, the primary in turn',
  size: { unit: 'times', full: 3, short: 1 },
  victims: /^(writer|worker-1|litestream|mailer)$/,
  limits: [
    atMost(0, 'processes', 'stopped and not replaced'),
    atMost(REPLACED_MS, 'ms', 'worst recovery'),
    atMost(0, 'requests', 'refused'),
    atMost(0, 'requests', 'hung'),
    atMost(0, 'requests', 'failed while the primary stood still'),
    atLeast(100, 'requests', 'served while the primary stood still'),
  ],
  async run(stage, rounds) {
    await stage.start({ HANG_TIMEOUT_MS: String(HANG_TIMEOUT_MS) });
    await stage.startLoad();
    const recoveryMs: number[] = [];
    const notReplaced: string[] = [];
    const stills: Still[] = [];
    let injected = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ROLES.filter((role) => stage.system.pidOf(role) > 0)) {
        stage.progress(`round ${round + 1} of ${rounds}: ${name}`);
        injected += 1;
        const tookMs = await stopChild(stage, name);
        if (tookMs === undefined) notReplaced.push(name);
        else recoveryMs.push(tookMs);
        await stage.sleep(700);
      }
      stage.progress(`round ${round + 1} of ${rounds}: primary`);
      injected += 1;
      stills.push(await stopPrimary(stage));
    }
    const records = await stage.stopLoad();
    const during = records.filter((record) =>
      stills.some(({ fromMs, toMs }) => record.startMs >= fromMs && record.startMs < toMs),
    );
    const served = during.filter(
      (record) =>
        record.failure === undefined &&
        stills.some(
          ({ fromMs, toMs }) => record.startMs >= fromMs && record.startMs + record.latencyMs < toMs,
        ),
    );
    return {
      injected,
      recoveryMs,
      figures: {
        'stopped and not replaced': notReplaced.length,
        'failed while the primary stood still': during.filter(({ failure }) => failure !== undefined).length,
        'served while the primary stood still': served.length / rounds,
      },
      notes: [
        `HANG_TIMEOUT_MS=${HANG_TIMEOUT_MS}; recovery includes it`,
        `the primary stood still for ${PRIMARY_STOPPED_MS} ms: kept connections were served, new ones waited for SIGCONT. That systemd's watchdog ends a primary which never comes back is not tested here`,
        ...(notReplaced.length > 0
          ? [`not replaced within ${GIVE_UP_MS} ms: ${notReplaced.join(', ')}`]
          : []),
      ],
    };
  },
};

interface Still {
  readonly fromMs: number;
  readonly toMs: number;
}

/** @returns how long until its successor was ready; undefined when nobody noticed */
async function stopChild(stage: Stage, name: string): Promise<number | undefined> {
  const { system } = stage;
  const from = system.lines.length;
  const pid = system.pidOf(name);
  const faultMs = Date.now();
  process.kill(pid, 'SIGSTOP');
  try {
    const fault = { name, faultMs, othersPorts: new Set<number>() };
    const { recoveredMs } = await recoveryOf(stage, from, fault, GIVE_UP_MS);
    return recoveredMs - faultMs;
  } catch {
    process.kill(pid, 'SIGCONT');
    return undefined;
  }
}

async function stopPrimary(stage: Stage): Promise<Still> {
  const fromMs = Date.now();
  stage.system.kill('SIGSTOP');
  try {
    await stage.sleep(PRIMARY_STOPPED_MS);
  } finally {
    stage.system.kill('SIGCONT');
  }
  const toMs = Date.now();
  // Whoever waited is served, and a child that was wrongly called hung would die now.
  await stage.sleep(2000);
  return { fromMs, toMs };
}
