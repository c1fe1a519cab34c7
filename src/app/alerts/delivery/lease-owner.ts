import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * What a process id is unique within, and as long: this boot of this machine, and the namespace that a container has of its
 * own. Undefined where the system does not tell.
 */
function scopeOfPids(): string | undefined {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
    return `${bootId}/${namespace}`;
  } catch {
    return undefined;
  }
}

/** @returns a name for this process among all that hold leases, on whatever machine: `<boot>/<namespace>/<pid>-<random>` */
export function newLeaseOwner(): string {
  return `${scopeOfPids() ?? 'unknown'}/${process.pid}-${randomBytes(6).toString('hex')}`;
}

/**
 * @returns whether the process of this name is known to be dead. One of another boot, machine or container is not: it may
 *   live where this process cannot see it, and its leases expire. Nor is one whose id another process has by now.
 */
export function isKnownDead(leaseOwner: string): boolean {
  const scope = scopeOfPids();
  if (scope === undefined || !leaseOwner.startsWith(`${scope}/`)) return false;
  const pid = Number(/^(\d+)-/.exec(leaseOwner.slice(scope.length + 1))?.[1]);
  if (!Number.isSafeInteger(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
