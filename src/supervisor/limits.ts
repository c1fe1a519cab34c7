import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MB = 1024 * 1024;
/** Signals that somebody sends to end a process; any other one comes from the process itself. */
const OUTSIDE_SIGNALS: readonly (string | null)[] = ['SIGKILL', 'SIGTERM', 'SIGINT'];
/** Signals by which Node.js or V8 ends a process that gets no thread, or no memory. */
const GIVEN_UP: readonly (string | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV'];
/** About how many threads a Node.js process has. */
const THREADS = 16;
/** How long a rise of a counter counts: several processes may meet a limit, and only the first look sees the rise. */
const RECENT_MS = 5000;
const ROOT_UID = 0;

interface Counter {
  readonly value: number;
  readonly roseAtMs: number;
}

/** Where to read the kernel's limits and counters. */
export interface LimitsOptions {
  readonly proc?: string;
  readonly cgroups?: string;
  readonly uid?: number;
}

/**
 * Finds the limit of the machine that may have ended a process which the primary did not end: from the kernel's
 * counters, and from the limits of this process and its children. What cannot be read, as on other systems than Linux,
 * is left out.
 */
export class Limits {
  readonly #proc: string;
  readonly #cgroups: string;
  readonly #uid: number;
  readonly #counters = new Map<string, Counter>();

  constructor({
    proc = '/proc',
    cgroups = '/sys/fs/cgroup',
    uid = process.getuid?.() ?? ROOT_UID,
  }: LimitsOptions = {}) {
    this.#proc = proc;
    this.#cgroups = cgroups;
    this.#uid = uid;
    this.#hasKilled();
    this.#hasRefusedProcesses();
  }

  /**
   * @param signal that ended the process
   * @param wasStarting whether it was never ready: a process asks for what it needs when it starts
   * @returns the limit, for people; undefined where none is known to have had a part in it
   */
  behind(signal: string | null, wasStarting: boolean): string | undefined {
    if (signal === 'SIGKILL') return this.#hasKilled() ? 'by the kernel, for lack of memory' : undefined;
    if (!wasStarting || !GIVEN_UP.includes(signal)) return undefined;
    if (this.#hasRefusedProcesses()) return 'its control group may have no more processes (pids.max)';
    return this.#boundBy();
  }

  /** Counted for this control group where there is one, else for the machine. */
  #hasKilled(): boolean {
    const own = this.#ownGroup();
    const ofGroup = own === undefined ? undefined : this.#read(join(this.#cgroups, own, 'memory.events'));
    return this.#hasRisen('oom_kill', ofGroup ?? this.#read(join(this.#proc, 'vmstat')));
  }

  #hasRefusedProcesses(): boolean {
    const own = this.#ownGroup();
    return own !== undefined && this.#hasRisen('max', this.#read(join(this.#cgroups, own, 'pids.events')));
  }

  #ownGroup(): string | undefined {
    return /^0::(.*)$/m.exec(this.#read(join(this.#proc, 'self', 'cgroup')) ?? '')?.[1];
  }

  #hasRisen(name: string, text: string | undefined): boolean {
    const value = Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1] ?? 0);
    const nowMs = performance.now();
    const before = this.#counters.get(name);
    const hasRisen = before !== undefined && value > before.value;
    const roseAtMs = hasRisen ? nowMs : (before?.roseAtMs ?? Number.NEGATIVE_INFINITY);
    this.#counters.set(name, { value, roseAtMs });
    return nowMs - roseAtMs < RECENT_MS;
  }

  #boundBy(): string | undefined {
    const limits = this.#read(join(this.#proc, 'self', 'limits')) ?? '';
    const soft = (name: string) =>
      Number(new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
    const spaceBytes = soft('Max address space');
    if (Number.isFinite(spaceBytes))
      return `its address space is limited to ${Math.round(spaceBytes / MB)} MB (RLIMIT_AS), of which Node.js reserves more than it uses`;
    const tasksMax = soft('Max processes');
    // Root is exempt from RLIMIT_NPROC.
    if (this.#uid === ROOT_UID || !Number.isFinite(tasksMax)) return undefined;
    const tasks = this.#tasks();
    return tasks + THREADS < tasksMax
      ? undefined
      : `its user has ${tasks} of ${tasksMax} processes and threads (RLIMIT_NPROC)`;
  }

  /** @returns how many processes and threads this user has */
  #tasks(): number {
    let tasks = 0;
    for (const name of readdirSync(this.#proc)) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const folder = join(this.#proc, name, 'task');
        if (statSync(folder).uid === this.#uid) tasks += readdirSync(folder).length;
      } catch {
        // The process has ended.
      }
    }
    return tasks;
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  }
}

/** The limits of this process. */
export const processLimits = new Limits();

/**
 * @param signal that ended a process which the primary did not end
 * @param wasStarting whether it was never ready
 * @returns the cause, for people, and whether somebody else or the machine ended it, rather than its code
 */
export function killedBy(
  signal: string | null,
  wasStarting: boolean,
  limits = processLimits,
): { readonly cause: string; readonly isOutside: boolean } {
  const limit = limits.behind(signal, wasStarting);
  return {
    cause: `killed by ${signal}${limit === undefined ? '' : `: ${limit}`}`,
    isOutside: OUTSIDE_SIGNALS.includes(signal) || limit !== undefined,
  };
}
