import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { REQUEST_TIMEOUT_MS } from '../config/request-timeout.ts';
import { NOTIFY_SECRETS, PEER_SECRETS, REPLICA_SECRETS, type SecretName } from '../config/secrets.ts';
import type { SettingEntry } from '../contract/manifest.ts';
import type { Background } from '../runtime/background.ts';
import type { Release } from './release/deployment.ts';
import { moduleIn } from './release/modules.js';

/** Settings that say how many processes of a kind there are. */
type CountSetting = 'WORKERS' | 'SPARE_WORKERS';
/** Settings that are a time. */
type TimeoutSetting = 'DRAIN_TIMEOUT_MS' | 'REPLICA_STOP_TIMEOUT_MS';
type TimeoutSettings = Pick<Config, TimeoutSetting>;

/** How long the longest request and its answer may take. */
const REQUEST_AND_ANSWER_MS = REQUEST_TIMEOUT_MS + 15_000;

/** One kind of process: all that supervision has to know about it. */
export interface ProcessSpec {
  /** Names its processes: `worker-1`, `worker-2` where a setting counts them, else as it is. */
  readonly role: string;
  /** Its module of the chassis, which exports `run(runtime)`; undefined for a binary. */
  readonly entry?: string | undefined;
  /** Its module of the app, below the release's folder, in place of one of the chassis. */
  readonly appEntry?: string;
  /** How many there are: a number, or the setting where a person chooses it. 0: made when there is something to do. */
  readonly count: number | CountSetting;
  /** Whether it is forked ahead of its turn at a start, and loads its code while others come up. */
  readonly isPreforked: boolean;
  /**
   * How a process is replaced while it serves. `overlap`: the next one is ready before the old one drains. `standby`:
   * there may be only one, so the next one loads, waits until the old one has gone, and takes over. `gap`: there may be
   * only one, and nobody waits for it, so the next one starts when the old one has gone. `none`: it is never replaced.
   */
  readonly handover: 'overlap' | 'standby' | 'gap' | 'none';
  /**
   * `always`: with a back-off, and slowly when it fails again and again. `spare`: at once, or slowly when it has never
   * loaded. `never`: its end is its result.
   */
  readonly restart: 'always' | 'spare' | 'never';
  /** How it is asked to end: a message on its channel, or a signal. */
  readonly drainBy: 'message' | 'SIGTERM';
  /** How long it may then take to end by itself at a stop: the sum of milliseconds and settings. */
  readonly drainTimeout: readonly (number | TimeoutSetting)[];
  /** How long it may take in an exchange, which is in no hurry, as a stop is, where the next one serves already. */
  readonly exchangeTimeout: readonly (number | TimeoutSetting)[];
  /** Whether it sends beats, which show that its event loop turns. */
  readonly beats: boolean;
  /** The chassis' secrets that it gets; it gets no other one. */
  readonly secrets: readonly SecretName[];
}

/**
 * Every kind of process below the primary, in the order that they start in; they end in reverse. A drill starts when
 * one is due, a dry run when a release is to be brought in.
 */
export const PROCESSES = {
  /** Notifies the operator: starts first and ends last. There is one where the settings name somebody to notify. */
  notify: {
    role: 'notify',
    entry: 'notify/main.ts',
    count: 1,
    isPreforked: false,
    handover: 'gap',
    restart: 'always',
    drainBy: 'message',
    // One message may be under way, and one about the end follows.
    drainTimeout: [12_000],
    exchangeTimeout: [6000],
    beats: true,
    secrets: [...NOTIFY_SECRETS, 'SMTP_URL'],
  },
  /** Holds the lease of the replica, so that no other system writes there. Apart, so that nothing delays renewals. */
  lease: {
    role: 'lease',
    entry: 'replication/lease/main.ts',
    count: 1,
    isPreforked: false,
    handover: 'gap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: [2000],
    exchangeTimeout: [1000],
    beats: true,
    secrets: REPLICA_SECRETS,
  },
  /** In place of `lease` beside another system (FAILOVER=lease): finds out which of the two leads. */
  contender: {
    role: 'contender',
    entry: 'replication/failover/main.ts',
    count: 1,
    isPreforked: false,
    handover: 'gap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: [2000],
    exchangeTimeout: [1000],
    beats: true,
    secrets: [...REPLICA_SECRETS, ...PEER_SECRETS],
  },
  /** Answers in place of the workers while the other system leads. */
  standby: {
    role: 'standby',
    entry: 'worker/standby.ts',
    count: 1,
    isPreforked: false,
    handover: 'overlap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: [1000],
    exchangeTimeout: [1000],
    beats: true,
    secrets: [],
  },
  /** Keeps a copy of the leader's replica in a folder of this machine, as long as the other system leads. */
  mirror: {
    role: 'mirror',
    entry: 'replication/failover/mirror-main.ts',
    count: 1,
    isPreforked: false,
    handover: 'gap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: [1000],
    exchangeTimeout: [1000],
    beats: true,
    secrets: REPLICA_SECRETS,
  },
  /** Checks or restores the databases, which may take minutes, and may crash. Everything else waits for it. */
  prepare: {
    role: 'prepare',
    entry: 'replication/prepare-main.ts',
    count: 1,
    isPreforked: false,
    handover: 'none',
    restart: 'never',
    drainBy: 'SIGTERM',
    drainTimeout: [3000],
    exchangeTimeout: [0],
    beats: true,
    secrets: REPLICA_SECRETS,
  },
  litestream: {
    role: 'litestream',
    entry: undefined,
    count: 1,
    isPreforked: false,
    handover: 'gap',
    restart: 'always',
    drainBy: 'SIGTERM',
    drainTimeout: ['REPLICA_STOP_TIMEOUT_MS'],
    exchangeTimeout: ['DRAIN_TIMEOUT_MS'],
    beats: false,
    secrets: REPLICA_SECRETS,
  },
  /** When it has decided its last writes, it stays until Litestream has ended: a clean close would delete the WAL. */
  writer: {
    role: 'writer',
    entry: 'writer/main.ts',
    count: 1,
    isPreforked: true,
    handover: 'standby',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: [5000, 'REPLICA_STOP_TIMEOUT_MS'],
    exchangeTimeout: ['DRAIN_TIMEOUT_MS'],
    beats: true,
    secrets: [],
  },
  worker: {
    role: 'worker',
    entry: 'worker/main.ts',
    count: 'WORKERS',
    isPreforked: true,
    handover: 'overlap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: ['DRAIN_TIMEOUT_MS'],
    exchangeTimeout: [REQUEST_AND_ANSWER_MS],
    beats: true,
    secrets: [],
  },
  /** A process that a feature brings: `backgroundSpec` fills in its name, its entry and its secrets. */
  background: {
    role: 'background',
    entry: undefined,
    count: 1,
    isPreforked: false,
    handover: 'overlap',
    restart: 'always',
    drainBy: 'message',
    drainTimeout: ['DRAIN_TIMEOUT_MS'],
    exchangeTimeout: [REQUEST_AND_ANSWER_MS],
    beats: true,
    secrets: [],
  },
  /** A worker that has loaded everything, and waits to take the place of a worker that dies. */
  spare: {
    role: 'worker-spare',
    entry: 'worker/main.ts',
    count: 'SPARE_WORKERS',
    isPreforked: false,
    handover: 'none',
    restart: 'spare',
    drainBy: 'message',
    drainTimeout: [0],
    exchangeTimeout: [0],
    beats: true,
    secrets: [],
  },
  /** Restores the replica and compares it with the databases. Its event loop blocks for as long as SQLite takes. */
  drill: {
    role: 'drill',
    entry: 'replication/drill/main.ts',
    count: 0,
    isPreforked: false,
    handover: 'none',
    restart: 'never',
    drainBy: 'message',
    drainTimeout: [0],
    exchangeTimeout: [0],
    beats: false,
    secrets: REPLICA_SECRETS,
  },
  /** The drill of a standby: restores what a takeover would restore, and runs this code's migrations on it. */
  standbyDrill: {
    role: 'drill',
    entry: 'writer/standby-drill-main.ts',
    count: 0,
    isPreforked: false,
    handover: 'none',
    restart: 'never',
    drainBy: 'message',
    drainTimeout: [0],
    exchangeTimeout: [0],
    beats: false,
    secrets: REPLICA_SECRETS,
  },
  /** Tries a release's migrations on copies of the databases, which may take minutes. */
  dryRun: {
    role: 'dry-run',
    entry: 'writer/dry-run-main.ts',
    count: 0,
    isPreforked: false,
    handover: 'none',
    restart: 'never',
    drainBy: 'message',
    drainTimeout: [0],
    exchangeTimeout: [0],
    beats: false,
    secrets: [],
  },
} as const satisfies Readonly<Record<string, ProcessSpec>>;

/** @returns the specification of a process that a feature brings */
export function backgroundSpec({
  name,
  entry,
  secrets,
}: Background): ProcessSpec & { readonly handover: 'overlap' } {
  return { ...PROCESSES.background, role: name, appEntry: entry, secrets };
}

/** @returns the absolute path of a process's module in a release */
export function entryPathOf({ role, entry, appEntry }: ProcessSpec, release: Release): string {
  if (appEntry !== undefined) return join(release.folder, appEntry);
  if (entry === undefined) throw new TypeError(`${role} has no module`);
  return moduleIn(release, entry);
}

/** @returns the app's secrets that processes of one kind get; a spare gets those of a worker */
export function pickAppSecrets(
  secrets: Readonly<Record<string, string>>,
  settings: readonly SettingEntry[],
  { role, entry }: ProcessSpec,
): Readonly<Record<string, string>> {
  const taker = entry === PROCESSES.worker.entry ? PROCESSES.worker.role : role;
  const taken = settings.filter(({ takenBy }) => takenBy?.includes(taker));
  return Object.fromEntries(
    taken.flatMap(({ name }) => (secrets[name] ? [[name, secrets[name]] as const] : [])),
  );
}

/** @returns the names of the processes of one kind, in order */
export function namesOf({ role, count }: ProcessSpec, config: Pick<Config, CountSetting>): readonly string[] {
  if (typeof count === 'number') return Array<string>(count).fill(role);
  return Array.from({ length: config[count] }, (_, index) => `${role}-${index + 1}`);
}

/** @returns how long a process of one kind may take to end by itself at a stop, in milliseconds */
export function drainTimeoutMsOf({ drainTimeout }: ProcessSpec, config: TimeoutSettings): number {
  return sumMsOf(drainTimeout, config);
}

/** @returns how long a process of one kind may take to end by itself when it is exchanged, in milliseconds */
export function exchangeTimeoutMsOf({ exchangeTimeout }: ProcessSpec, config: TimeoutSettings): number {
  return sumMsOf(exchangeTimeout, config);
}

function sumMsOf(parts: readonly (number | TimeoutSetting)[], config: TimeoutSettings): number {
  return parts.reduce<number>((sumMs, part) => sumMs + (typeof part === 'number' ? part : config[part]), 0);
}
