import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { WalIndex, type WalPosition } from '../../writer/wal-index.ts';
import { type Confirmation, saltOf } from '../confirmation.ts';
import { sidecarPath } from '../litestream-config.ts';

/** A place in the history of a database's WALs. */
export interface Position extends WalPosition {
  /** The salts of the WALs before this one that may yet be confirmed. */
  readonly olderSalts: ReadonlySet<string>;
}

/**
 * Notes where a live database is. Leaves a descriptor of its `-shm` open for good: closing it would drop the locks
 * of this process's connections, so this is for a process that ends soon.
 *
 * @param databasePath a database that this process has a connection to and another one writes to
 */
export function notePosition(databasePath: string): Position {
  // The shadows first: a WAL that begins after this look is then none of the older ones.
  const olderSalts = new Set(shadowSalts(databasePath));
  const { salt, offsetBytes } = new WalIndex(databasePath).readSettled();
  olderSalts.delete(salt);
  return { salt, offsetBytes, olderSalts };
}

/** @returns whether a confirmation that was known before the position was noted covers it */
export function isCovered(position: Position, known: Confirmation): boolean {
  return known.salt === position.salt && known.offsetBytes >= position.offsetBytes;
}

/** @returns whether a confirmation that came after the position was noted covers it */
export function isReached(position: Position, confirmation: Confirmation): boolean {
  if (confirmation.salt === position.salt) return confirmation.offsetBytes >= position.offsetBytes;
  // WALs are uploaded in their order, so one that is not older is newer.
  return !position.olderSalts.has(confirmation.salt);
}

/** Litestream keeps a shadow of each WAL until the replica has it, and copies the last one before it lets go of it. */
function shadowSalts(databasePath: string): string[] {
  const generations = join(sidecarPath(databasePath), 'generations');
  return list(generations).flatMap((generation) => {
    const folder = join(generations, generation, 'wal');
    return list(folder).flatMap((name) => saltOf(join(folder, name)) ?? []);
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
