import type { LogLine } from '../running-system.ts';
import { type Culprit, type Holders, UNKNOWN_HOLDERS } from './blame.ts';
import { clientPortsOf, isAlive } from './processes.ts';
import type { Stage } from './stage.ts';

/** One child that was made to die. */
export interface Death extends Culprit {
  readonly name: string;
  /** When its successor was ready, in milliseconds since the epoch. */
  readonly recoveredMs: number;
  /** How long the successor took to get ready, as the primary measured it. */
  readonly bootMs: number;
}

/** @returns the names of all children, as the system logged them when it was ready */
export function childNames({ system }: Stage): string[] {
  const line = system.lines.find(({ msg }) => msg.startsWith('ready: http'));
  return Object.keys((line?.pids ?? {}) as object).filter((name) => name !== 'primary');
}

/** @returns the names of the running workers */
export function workerNames(stage: Stage): string[] {
  return childNames(stage).filter(isWorker);
}

function isWorker(name: string): boolean {
  return name.startsWith('worker-');
}

export function timeOf(line: LogLine): number {
  return Date.parse(String(line.time));
}

/** @returns the present connections of each worker, as the clients' ports */
export function connectionsOf({ system }: Stage, names: readonly string[]): Map<string, Set<number>> {
  const serverPort = Number(new URL(system.url).port);
  return new Map(names.map((name) => [name, clientPortsOf(system.pidOf(name), serverPort)]));
}

/** @returns the connections of the workers that a fault hits, and those of the other workers */
export function holdersOf(
  connections: ReadonlyMap<string, ReadonlySet<number>>,
  victims: readonly string[],
): Holders {
  const ports = (isMeant: (name: string) => boolean) =>
    new Set([...connections].filter(([name]) => isMeant(name)).flatMap(([, some]) => [...some]));
  return {
    victims: ports((name) => victims.includes(name)),
    others: ports((name) => !victims.includes(name)),
  };
}

/** Sends a deadly signal to some children at the same moment; resolves when the successor of each is ready. */
export async function killChildren(
  stage: Stage,
  names: readonly string[],
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<Death[]> {
  const { system } = stage;
  // After a refused reload a successor may still be starting.
  await stage.until(() => names.every((name) => isAlive(system.pidOf(name))), `${names.join(', ')} run`);
  const from = system.lines.length;
  const pids = names.map((name) => system.pidOf(name));
  // Only workers have clients. For other children the look is skipped: it takes milliseconds, which would be too late.
  const holders = names.some(isWorker)
    ? holdersOf(connectionsOf(stage, workerNames(stage)), names)
    : UNKNOWN_HOLDERS;
  const faultMs = Date.now();
  for (const pid of pids) process.kill(pid, signal);
  return await Promise.all(names.map((name) => recoveryOf(stage, from, { name, faultMs, holders })));
}

/** Kills every child, half of them at a time, so that a worker goes on serving. */
export async function killEachChild(stage: Stage): Promise<Death[]> {
  const deaths: Death[] = [];
  for (const half of [0, 1]) {
    const names = childNames(stage).filter((_, index) => index % 2 === half);
    deaths.push(...(await killChildren(stage, names)));
  }
  return deaths;
}

/** The start after the death of a primary. */
export interface NextStart {
  readonly readyMs: number;
  /** The line that says that it is ready. */
  readonly line: LogLine;
}

/** Kills the primary, and starts the system again. @param env the settings of the first start */
export async function killPrimary(stage: Stage, env: NodeJS.ProcessEnv = {}): Promise<NextStart> {
  stage.system.kill('SIGKILL');
  await stage.system.ended();
  const startedMs = performance.now();
  const system = await stage.start(env);
  return { readyMs: performance.now() - startedMs, line: await system.ready() };
}

/** Resolves when the child has died and its successor is ready. @param from index of the first line to look at */
export async function recoveryOf(
  { system }: Stage,
  from: number,
  { name, faultMs, holders }: Pick<Death, 'name' | 'faultMs' | 'holders'>,
  timeoutMs?: number,
): Promise<Death> {
  const died = await system.waitFor(({ msg }) => msg.startsWith(`${name} died`), from, timeoutMs);
  const ready = await system.waitFor(({ msg }) => msg === `${name} ready`, from, timeoutMs);
  return {
    name,
    faultMs,
    holders,
    diedMs: timeOf(died),
    recoveredMs: timeOf(ready),
    bootMs: Number(ready.startMs),
  };
}

export function recoveryMs(deaths: readonly Death[]): number[] {
  return deaths.map(({ faultMs, recoveredMs }) => recoveredMs - faultMs);
}
