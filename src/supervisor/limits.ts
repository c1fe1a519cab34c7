import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MB = 1024 * 1024;
/** Those that somebody sends who wants a process gone; every other one is of its own making. */
const OUTSIDE_SIGNALS: readonly (string | null)[] = ['SIGKILL', 'SIGTERM', 'SIGINT'];
/** By which Node.js or V8 ends a process that gets no thread, or no memory. */
const GIVEN_UP: readonly (string | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV'];
/** About what a process of Node.js has. */
const THREADS = 16;
/** Several may have met a limit at once, and the first that is asked of has seen its counter rise. */
const RECENT_MS = 5000;
const ROOT_UID = 0;

interface Counter {
  readonly value: number;
  readonly roseAtMs: number;
}

/** Where the kernel tells of its limits. */
export interface LimitsOptions {
  readonly proc?: string;
  readonly cgroups?: string;
  readonly uid?: number;
}

/**
 * Which limit of the machine may have ended a process that nobody here has ended: what the kernel counts, and what bounds this
 * process and its children. What cannot be read, as elsewhere than on Linux, is left out.
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
   * @param signal that has ended it
   * @param wasStarting whether it was never ready: what it needs it asks for at its start
   * @returns the limit, for people; undefined where none is known to have had a part in it
   */
  behind(signal: string | null, wasStarting: boolean): string | undefined {
    if (signal === 'SIGKILL') return this.#hasKilled() ? 'by the kernel, for lack of memory' : undefined;
    if (!wasStarting || !GIVEN_UP.includes(signal)) return undefined;
    if (this.#hasRefusedProcesses()) return 'its control group may have no more processes (pids.max)';
    return this.#boundBy();
  }

  /** Of this control group alone where there is one, else of the machine. */
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
    // Root is not bound by it.
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
        // It has ended.
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

/** Those of this process. */
export const processLimits = new Limits();

/**
 * @param signal that has ended a process which nobody here has ended
 * @param wasStarting whether it was never ready
 * @returns how it was ended, for people, and whether that was somebody else or the machine, and not its code
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
