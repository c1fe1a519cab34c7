import { basename, join } from 'node:path';
import type { Confirmation } from '../messages/confirmation.ts';
import { sidecarPath } from './litestream-config.ts';
import type { LitestreamLine } from './log-line.ts';
import { walHeaderOf } from './wal.ts';

const POSITION = /^([0-9a-f]{16})\/([0-9a-f]{8}):(\d+)$/;

/**
 * Reads from Litestream's log how far its replica is. Litestream counts WAL files of its generation. Its shadow copy of
 * such a file begins with the salts of the real WAL, by which the writer knows that WAL.
 *
 * @param line of a running `replicate`
 * @returns undefined for a line that confirms nothing
 */
export function confirmationOf(line: LitestreamLine): Confirmation | undefined {
  const { db, position, sz } = line.fields;
  // Not 'snapshot written': its position is Litestream's at that moment, which the copied file may not have reached.
  // The segment after it confirms that.
  if (line.message !== 'wal segment written') return undefined;
  if (typeof db !== 'string' || typeof position !== 'string' || typeof sz !== 'number') return undefined;
  const [, generation, index, start] = POSITION.exec(position) ?? [];
  if (generation === undefined || index === undefined) return undefined;
  // A segment is named by where it starts, and confirms up to where it ends.
  const offsetBytes = Number(start) + sz;
  // Litestream removes a shadow copy once a newer one was confirmed; then there is nothing to confirm.
  const header = walHeaderOf(join(sidecarPath(db), 'generations', generation, 'wal', `${index}.wal`));
  if (!header) return undefined;
  const segment = { generation, index: Number.parseInt(index, 16), offsetBytes: Number(start) };
  return { database: basename(db, '.db'), generation, salt: header.salt, offsetBytes, segment };
}
