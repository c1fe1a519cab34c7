import type { Progress } from '../src/testing/chaos/progress.ts';
import { makeTemporaryFolder, removeFolder } from '../src/testing/running-system.ts';
import { failureCount, type Load, type Measurement } from './measurement.ts';
import { type Peer, peers } from './peers.ts';
import { measure } from './run.ts';
import { scenarioOf } from './scenarios.ts';
import { compileSlowFsync, slowFsyncEnv } from './support/slow-fsync.ts';
import { withTarget } from './target.ts';

/** Rough time of starting, seeding and stopping a server, for each measurement. */
const SPARE_MS = 1500;

/** What to measure, and how. */
export interface ComparePlan {
  readonly load: Load;
  readonly workers: number;
  readonly scenarioNames: readonly string[];
  readonly rounds: number;
  /** Delay added to each fsync of a server; 0 for the disk as it is. */
  readonly slowerFsyncUs: number;
}

/** One peer's measurement of one scenario in one round. */
export interface Turn {
  /** From 1. */
  readonly round: number;
  readonly peer: string;
  readonly measurement: Measurement;
}

/**
 * Measures every peer once a round. Each turn has a server and a database of its own, so no turn finds what another
 * left. The order moves on by one each round, so a machine that becomes slower or faster does so for all peers.
 */
export async function compare(plan: ComparePlan, progress: Progress, signal: AbortSignal): Promise<Turn[]> {
  const folder = makeTemporaryFolder();
  try {
    return await takeTurns(plan, diskEnv(plan.slowerFsyncUs, folder), progress, signal);
  } finally {
    removeFolder(folder);
  }
}

function diskEnv(slowerFsyncUs: number, folder: string): NodeJS.ProcessEnv {
  if (slowerFsyncUs === 0) return {};
  const library = compileSlowFsync(folder);
  if (library === undefined) throw new Error('a slower disk needs Linux and gcc or cc');
  return slowFsyncEnv(library, slowerFsyncUs);
}

async function takeTurns(
  plan: ComparePlan,
  env: NodeJS.ProcessEnv,
  progress: Progress,
  signal: AbortSignal,
): Promise<Turn[]> {
  progress.note(`about ${Math.ceil(expectedMs(plan) / 60_000)} minutes`);
  const turns: Turn[] = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const peer of rotated(peers, round - 1)) {
      turns.push(...(await takeTurn(peer, round, plan, env, progress, signal)));
    }
  }
  return turns;
}

function expectedMs({ rounds, scenarioNames, load }: ComparePlan): number {
  const measurements = peers.flatMap(({ scenarios }) =>
    scenarios.filter((name) => scenarioNames.includes(name)),
  );
  return rounds * measurements.length * (load.warmupMs + load.durationMs + SPARE_MS);
}

async function takeTurn(
  peer: Peer,
  round: number,
  plan: ComparePlan,
  env: NodeJS.ProcessEnv,
  progress: Progress,
  signal: AbortSignal,
): Promise<Turn[]> {
  const names = plan.scenarioNames.filter((name) => peer.scenarios.includes(name));
  if (names.length === 0) return [];
  return await withTarget(
    () => peer.start(plan.workers, signal, env),
    signal,
    async (target) => {
      const turns: Turn[] = [];
      for (const name of names) {
        const label = `round ${round} of ${plan.rounds}, ${peer.name}, ${name}`;
        const measurement = await measure(
          target,
          { scenario: scenarioOf(name), load: plan.load, label },
          progress,
          signal,
        );
        turns.push({ round, peer: peer.name, measurement });
        const failed = failureCount(measurement.failures);
        const failures = failed === 0 ? '' : `, ${failed} failed`;
        progress.note(`${label}: ${Math.round(measurement.requestsPerSecond)} requests/s${failures}`);
      }
      return turns;
    },
  );
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
