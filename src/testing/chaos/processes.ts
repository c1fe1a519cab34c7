import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const MIB_PER_KIB = 1 / 1024;

/** The resources that a process holds. */
export interface Holdings {
  readonly openFiles: number;
  readonly rssMiB: number;
  /** Children that have ended and were not reaped. */
  readonly zombies: number;
}

/** @throws Error when there is no such process */
export function holdingsOf(pid: number): Holdings {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    openFiles: readdirSync(`/proc/${pid}/fd`).length,
    rssMiB: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * MIB_PER_KIB,
    zombies: allProcesses().filter(({ parentPid, state }) => parentPid === pid && state === 'Z').length,
  };
}

/** @returns every living descendant of a process, without the process itself */
export function descendantsOf(rootPid: number): number[] {
  const all = allProcesses();
  const found: number[] = [];
  for (let parents = [rootPid]; parents.length > 0; ) {
    parents = all
      .filter(({ parentPid, state }) => state !== 'Z' && parents.includes(parentPid))
      .map(({ pid }) => pid);
    found.push(...parents);
  }
  return found;
}

/** @returns the descendant with this process title, which each process sets for itself */
export function processNamed(rootPid: number, title: string): number | undefined {
  return descendantsOf(rootPid).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === title;
    } catch {
      return false;
    }
  });
}

/** @returns whether the process exists and is not a zombie */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.state;
  return state !== undefined && state !== 'Z';
}

/**
 * Finds the connections that a process holds, to tell which process a client's failure belongs to.
 * @param serverPort the TCP port of the API
 * @returns the clients' ports
 */
export function clientPortsOf(pid: number, serverPort: number): Set<number> {
  const portOfInode = new Map<string, number>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
    if (!local || !remote || !inode || hexPort(local) !== serverPort) continue;
    portOfInode.set(inode, hexPort(remote));
  }
  const ports = new Set<number>();
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      const port = inode === undefined ? undefined : portOfInode.get(inode);
      if (port !== undefined) ports.add(port);
    }
  } catch {
    // The process has ended meanwhile.
  }
  return ports;
}

interface Stat {
  readonly pid: number;
  readonly parentPid: number;
  readonly state: string;
}

function allProcesses(): Stat[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => statOf(Number(entry)) ?? []);
}

function statOf(pid: number): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name is in brackets, and may contain any character.
    const [state = '', parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, parentPid: Number(parentPid), state };
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function hexPort(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16);
}
