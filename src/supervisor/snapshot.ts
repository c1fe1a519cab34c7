import type { ChildSnapshot, PrimarySnapshot, ReplicationSnapshot } from '../messages/snapshot.ts';
import { freeDiskMb } from '../platform/free-disk.ts';
import type { ReplicationMonitor } from '../replication/monitor.ts';
import { ownMemory } from '../runtime/own-memory.ts';
import type { Child } from './child.ts';
import { residentBytes } from './process-memory.ts';
import type { Slot } from './slot.ts';

/** How many of the newest events a snapshot has. */
export const SNAPSHOT_EVENTS = 50;

/** @returns the place and the process in it */
export function snapshotOfSlot(slot: Slot): ChildSnapshot {
  const { name, child, state } = slot;
  const isFilled = child !== undefined && child.state !== 'dead';
  return {
    name,
    role: roleOf(name),
    state: isFilled ? child.state : state,
    isBeingReplaced: state === 'exchanging',
    ...processOf(isFilled ? child : undefined),
    restarts: slot.restarts,
    lastExitCause: slot.lastExit?.cause ?? null,
    breaker: state === 'broken' || slot.breakerOpen ? 'open' : 'closed',
  };
}

/** @returns a spare worker, which has no place yet */
export function snapshotOfSpare(child: Child): ChildSnapshot {
  return {
    name: child.name,
    role: roleOf(child.name),
    state: child.state,
    isBeingReplaced: false,
    ...processOf(child),
    restarts: 0,
    lastExitCause: null,
    breaker: 'closed',
  };
}

function processOf(child: Child | undefined) {
  if (child?.pid === undefined) {
    return {
      release: null,
      pid: null,
      ageMs: null,
      rssBytes: null,
      heapUsedBytes: null,
      served: 0,
      gauges: {},
    };
  }
  const { pid, deployment, rssBytes, heapUsedBytes, served, gauges } = child;
  return {
    release: deployment.release.hash,
    pid,
    ageMs: Math.round(child.ageMs),
    // A process that beats tells it; for any other, and before the first beat, the kernel does.
    rssBytes: rssBytes || (residentBytes(pid) ?? null),
    heapUsedBytes: heapUsedBytes || null,
    served,
    gauges,
  };
}

/** @returns a child's name without its number, which is what a person restarts and a metric is labelled with */
export function roleOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

export function snapshotOfPrimary(): PrimarySnapshot {
  return { pid: process.pid, ageMs: Math.round(process.uptime() * 1000), ...ownMemory() };
}

export function snapshotOfReplication(
  { state, lagMs, trouble, reports }: ReplicationMonitor,
  renewedBytes: number,
): ReplicationSnapshot {
  return { state, lagMs: Math.round(lagMs), trouble: trouble ?? null, databases: reports, renewedBytes };
}

/** @returns free MB on the disk of a folder; null when that cannot be read */
export function freeMb(folder: string): number | null {
  try {
    return freeDiskMb(folder);
  } catch {
    return null;
  }
}
