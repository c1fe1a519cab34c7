import type { SystemEvent } from '../messages/snapshot.ts';
import { showDuration } from './sizes.ts';

const KIND_WIDTH = 15;

/** @returns an event for a person, in one line, its time in UTC */
export function describeEvent({ atMs, kind, child, pid, cause, durationMs }: SystemEvent): string {
  const time = new Date(atMs).toISOString().replace('T', ' ');
  // The cause goes on from the child's name, and has the process id and the duration already.
  if (kind === 'restart' || kind === 'replace')
    return `${time}  ${kind.padEnd(KIND_WIDTH)} ${child} ${cause}`;
  const who = child === null ? '' : `${child}${pid === null ? '' : ` ${pid}`}: `;
  const took =
    durationMs === null ? '' : ` (${durationMs < 1000 ? `${durationMs} ms` : showDuration(durationMs)})`;
  return `${time}  ${kind.padEnd(KIND_WIDTH)} ${who}${cause}${took}`;
}
