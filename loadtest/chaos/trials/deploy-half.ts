import { type CommandEnd, mustReload, reload } from '../../../src/testing/chaos/commands.ts';
import { killPrimary, type NextStart } from '../../../src/testing/chaos/faults.ts';
import { atMost } from '../../../src/testing/chaos/trial.ts';
import type { RequestRecord } from '../clients/record.ts';
import { isMigrated } from '../database.ts';
import { addField, DEPLOY_LOAD, failInPlace, mendInPlace } from '../deploys.ts';
import type { Stage } from '../stage.ts';
import { type ChildStatus, inWords, notOfRelease, type Status, statusOf } from '../status.ts';
import type { Trial } from '../trial.ts';

const FAIL = "throw new Error('fails in its place');";
const HANG = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);';
const KILL_WITHIN_MS = 300;

interface Tally {
  exited: number;
  untold: number;
  /** Processes of another release than they should be. */
  readonly strange: string[];
  failed: number;
  readonly nextStartMs: number[];
}

export const deployHalf: Trial = {
  name: 'deploy-half',
  fault:
    'a reload whose workers fail when the writer is exchanged, then SIGKILL the primary; SIGKILL it between migration and workers',
  size: { unit: 'times', full: 4, short: 1 },
  victims: /^worker-/,
  limits: [
    atMost(0, 'requests', 'failed while the primary lived'),
    atMost(0, 'commands', 'reloads that exited with 0'),
    atMost(0, 'commands', 'reloads that did not name the release'),
    atMost(0, 'processes', 'of another release than they should be'),
    atMost(5000, 'ms', 'next start'),
  ],
  async run(stage, times) {
    const tally: Tally = { exited: 0, untold: 0, strange: [], failed: 0, nextStartMs: [] };
    await stage.start();
    for (let turn = 0; turn < times; turn += 1) {
      const at = (what: string) => stage.progress(`${turn} of ${times}: ${what}`);
      if (turn > 0) await mustReload(stage);
      at('workers fail, the migration stays');
      await failForward(stage, `forward_${turn}`, tally);
      at('workers fail, all goes back');
      await failBack(stage, `back_${turn}`, tally);
      at('the primary is killed');
      await killBetween(stage, `between_${turn}`, tally);
    }
    await stage.startLoad(DEPLOY_LOAD);
    return {
      injected: 3 * times,
      recoveryMs: tally.nextStartMs,
      figures: {
        'failed while the primary lived': tally.failed,
        'reloads that exited with 0': tally.exited,
        'reloads that did not name the release': tally.untold,
        'of another release than they should be': tally.strange.length,
        'next start': Math.max(...tally.nextStartMs),
      },
      notes: [...tally.strange, 'recovery is the next start; the clients fail while nothing runs'],
    };
  },
};

/** The older release is not compatible with the migration: the new writer stays, and so do the old workers. */
async function failForward(stage: Stage, field: string, tally: Tally): Promise<void> {
  const old = await runningRelease(stage);
  const load = await stage.startLoad(DEPLOY_LOAD);
  addField(stage.deployment, field, false);
  failInPlace(stage.deployment, FAIL);
  count(tally, await reload(stage), old);
  const half = await statusOf(stage);
  tally.strange.push(...notOfHalf(half, old));
  tally.failed += failedOf(await load.stop());
  const next = await killPrimary(stage);
  tally.nextStartMs.push(next.readyMs);
  tally.strange.push(...notOfPair(next, half), ...notOfHalf(await statusOf(stage), old));
  mendInPlace(stage.deployment);
  await mustReload(stage);
}

/** The older release is compatible with the migration: all processes go back to it. */
async function failBack(stage: Stage, field: string, tally: Tally): Promise<void> {
  const old = await runningRelease(stage);
  const load = await stage.startLoad(DEPLOY_LOAD);
  addField(stage.deployment, field, true);
  failInPlace(stage.deployment, FAIL);
  count(tally, await reload(stage), old);
  const status = await statusOf(stage);
  // A reload does not replace Litestream.
  const children = status.children.filter(({ role }) => role !== 'litestream');
  tally.strange.push(...notOfRelease({ ...status, children }, old));
  tally.failed += failedOf(await load.stop());
  mendInPlace(stage.deployment);
}

async function killBetween(stage: Stage, field: string, tally: Tally): Promise<void> {
  const old = await runningRelease(stage);
  const load = await stage.startLoad(DEPLOY_LOAD);
  const file = addField(stage.deployment, field, false);
  failInPlace(stage.deployment, HANG);
  const reloading = reload(stage);
  await stage.until(() => isMigrated(stage, file), 'the migration is committed');
  await stage.sleep(stage.random.below(KILL_WITHIN_MS));
  const next = await killPrimary(stage);
  const { code } = await reloading;
  if (code === 0) tally.exited += 1;
  await load.stop();
  tally.nextStartMs.push(next.readyMs);
  const status = await statusOf(stage);
  tally.strange.push(...notOfPair(next, status), ...notOfHalf(status, old));
  mendInPlace(stage.deployment);
}

async function runningRelease(stage: Stage): Promise<string> {
  return (await statusOf(stage)).releases.workers.hash;
}

function count(tally: Tally, { code, output }: CommandEnd, old: string): void {
  if (code === 0) tally.exited += 1;
  if (!output.includes(old)) tally.untold += 1;
}

/** @returns the deviations from a new writer with workers of the old release, in words */
function notOfHalf({ children, releases }: Status, old: string): string[] {
  const isRight = ({ role, release }: ChildStatus) => {
    if (role === 'writer') return release === releases.writer.hash && release !== old;
    return role !== 'worker' || release === null || release === old;
  };
  return children.filter((child) => !isRight(child)).map(inWords);
}

/** @returns where a start's ready line differs from the status, in words */
function notOfPair({ line }: NextStart, { releases }: Status): string[] {
  return [
    ...(line.release === releases.workers.hash ? [] : [`ready says the release is ${line.release}`]),
    ...(line.writerRelease === releases.writer.hash
      ? []
      : [`ready says the writer's is ${line.writerRelease}`]),
  ];
}

function failedOf(records: readonly RequestRecord[]): number {
  return records.filter(({ failure }) => failure !== undefined).length;
}
