import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { machineId } from '../history/mark.ts';

/** State of a process that has ended, and that its parent has not reaped. */
const ZOMBIE = 'Z';
/** In /proc/PID/stat behind the name: the state comes first, the start time 19 fields later. */
const START_TIME_FIELD = 19;

/** Identifies a system, so that others can judge whether it lives. What the machine does not tell is undefined. */
export interface Identity {
  /** The name of the host, for people. Nothing is decided by it. */
  readonly name: string;
  /** Identifies this installation of the operating system and this data folder; the same after a reboot. */
  readonly instance: string;
  /** Identifies the boot of the kernel. */
  readonly bootId?: string | undefined;
  /** Device and inode of the data folder; they identify it under one kernel. */
  readonly folder: string;
  /** The namespace that process ids are unique within. */
  readonly pidNamespace?: string | undefined;
  /** Of the primary. */
  readonly pid: number;
  /** When the primary was started, in ticks since the boot. */
  readonly startTime?: string | undefined;
}

/**
 * @param dataDir absolute
 * @param pid of the primary
 */
export function identityOf(dataDir: string, pid: number): Identity {
  const { dev, ino } = statSync(dataDir, { throwIfNoEntry: false }) ?? { dev: 0, ino: 0 };
  const text = [machineId(), dataDir, ino].join('\n');
  return {
    name: hostname(),
    instance: createHash('sha256').update(text).digest('hex').slice(0, 32),
    bootId: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    folder: `${dev}:${ino}`,
    pidNamespace: told(() => readlinkSync('/proc/self/ns/pid')),
    pid,
    startTime: statOf(pid)?.[START_TIME_FIELD],
  };
}

/** @returns whether both live under the same kernel, since the same boot */
export function isSameBoot(a: Identity, b: Identity): boolean {
  return a.bootId !== undefined && a.bootId === b.bootId;
}

/** @returns whether the process of `other` is known to be dead; only within one boot and one pid namespace can it be */
export function isKnownGone(other: Identity, self: Identity): boolean {
  return lives(other, self) === false;
}

/** @returns whether the process of `other` is known to live */
export function isAlive(other: Identity, self: Identity): boolean {
  return lives(other, self) === true;
}

/** @returns undefined where it cannot be known */
function lives(other: Identity, self: Identity): boolean | undefined {
  const { pidNamespace, startTime } = other;
  if (!isSameBoot(other, self) || pidNamespace === undefined || startTime === undefined) return undefined;
  if (pidNamespace !== self.pidNamespace) return undefined;
  const stat = statOf(other.pid);
  return stat !== undefined && stat[0] !== ZOMBIE && stat[START_TIME_FIELD] === startTime;
}

/** @returns the fields of /proc/PID/stat from the state on; undefined when there is no such process */
function statOf(pid: number): readonly string[] | undefined {
  // The process name before the last `) ` may hold spaces and parentheses.
  return told(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' '));
}

function told<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
