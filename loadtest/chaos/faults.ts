import type { LogLine } from '../support/running-system.ts';
import type { RequestRecord } from './clients/record.ts';
import { clientPortsOf } from './processes.ts';
import type { Stage } from './stage.ts';

/** A client may hear of a broken connection, or of a dead peer, a little later or earlier than the log says. */
const SLACK_MS = 60;
/** A reset that comes later than this after a death was not caused by it. */
const AFTERMATH_MS = 1500;

/** One child that was made to die. */
export interface Death {
  readonly name: string;
  /** Milliseconds since the epoch, as are all times of day here. */
  readonly faultMs: number;
  diedMs: number;
  /** When its successor was ready. */
  recoveredMs: number;
  /** From fork to ready, as the primary measured it. */
  bootMs: number;
  /** Clients' ports on connections that others held at the time: these must not notice. */
  readonly othersPorts: ReadonlySet<number>;
}

/** @returns the names of the running workers */
export function workerNames(stage: Stage): string[] {
  const line = stage.system.lines.find(({ msg }) => msg.startsWith('ready: http'));
  return Object.keys((line?.['pids'] ?? {}) as object).filter((name) => name.startsWith('worker-'));
}

export function timeOf(line: LogLine): number {
  return Date.parse(String(line['time']));
}

/** @returns the clients' ports on connections of all workers but some */
export function portsOfOthers(stage: Stage, names: readonly string[]): Set<number> {
  const serverPort = Number(new URL(stage.system.url).port);
  const others = workerNames(stage).filter((name) => !names.includes(name));
  return new Set(others.flatMap((name) => [...clientPortsOf(stage.system.pidOf(name), serverPort)]));
}

/** Kills some children at the same moment and resolves when each has a successor that is ready. */
export async function killChildren(stage: Stage, names: readonly string[]): Promise<Death[]> {
  const { system } = stage;
  const from = system.lines.length;
  const pids = names.map((name) => system.pidOf(name));
  const othersPorts = portsOfOthers(stage, names);
  const faultMs = Date.now();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return await Promise.all(names.map((name) => recoveryOf(stage, from, { name, faultMs, othersPorts })));
}

/** Resolves when the child has died and its successor is ready. @param from index of the first line to look at */
export async function recoveryOf(
  { system }: Stage,
  from: number,
  { name, faultMs, othersPorts }: Pick<Death, 'name' | 'faultMs' | 'othersPorts'>,
  timeoutMs?: number,
): Promise<Death> {
  const died = await system.waitFor(({ msg }) => msg.startsWith(`${name} died`), from, timeoutMs);
  const ready = await system.waitFor(({ msg }) => msg === `${name} ready`, from, timeoutMs);
  return {
    name,
    faultMs,
    othersPorts,
    diedMs: timeOf(died),
    recoveredMs: timeOf(ready),
    bootMs: Number(ready['startMs']),
  };
}

export function recoveryMs(deaths: readonly Death[]): number[] {
  return deaths.map(({ faultMs, recoveredMs }) => recoveredMs - faultMs);
}

/**
 * @returns the failed requests that no death explains: those that were not reset, not under way when a worker
 *   died, or on a connection of another worker
 */
export function failedElsewhere(
  records: readonly RequestRecord[],
  deaths: readonly Death[],
): RequestRecord[] {
  return records.filter((record) => record.failure !== undefined && !isExplained(record, deaths));
}

function isExplained(
  { failure, startMs, latencyMs, port }: RequestRecord,
  deaths: readonly Death[],
): boolean {
  if (failure !== 'reset') return false;
  const endMs = startMs + latencyMs;
  return deaths.some(
    ({ faultMs, diedMs, othersPorts }) =>
      startMs <= diedMs + SLACK_MS &&
      endMs >= faultMs - SLACK_MS &&
      endMs <= diedMs + AFTERMATH_MS &&
      (port === undefined || !othersPorts.has(port)),
  );
}
