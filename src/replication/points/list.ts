import { runLitestream } from '../litestream-run.ts';
import type { DatabaseReplica } from '../replica-context.ts';
import { listReplicaFiles } from '../restore/replica-files.ts';
import { clarified, restoreFailure } from '../restore-failure.ts';
import { isFileReplicaEmpty } from '../store/file-replica.ts';
import { type Generation, generationOf } from './generations.ts';
import { type LtxRow, ltxGeneration } from './ltx.ts';

/**
 * Lists what a replica holds of one database.
 * @returns its generations, the oldest first; none when the replica is there and has nothing of it
 * @throws Failure replica_unreachable, replica_denied, bucket_missing, replica_damaged, not_ready (aborted)
 */
export async function listGenerations(source: DatabaseReplica): Promise<readonly Generation[]> {
  const { config, database, binary } = source;
  const { replica } = config;
  if (replica.type === 'file' && isFileReplicaEmpty(replica, database)) return [];
  if (binary.format === 'ltx') return listLtx(source);
  const files = await listReplicaFiles(source).catch((error) => {
    throw clarified(error);
  });
  return files.map(generationOf).sort((a, b) => (a.fromMs ?? a.toMs) - (b.fromMs ?? b.toMs));
}

async function listLtx(source: DatabaseReplica): Promise<readonly Generation[]> {
  const rows: LtxRow[] = [];
  const onRow = ([level, minTxid = '', , sizeBytes, created = '']: readonly string[]) => {
    const createdMs = Date.parse(created);
    if (!Number.isNaN(createdMs))
      rows.push({ level: Number(level), minTxid, sizeBytes: Number(sizeBytes), createdMs });
  };
  const end = await runLitestream({ name: 'ltx', args: ['-level', 'all'], onRow }, source);
  // It exits 0 even when it could list nothing.
  if (!end.isDone || end.lines.some(({ level }) => level === 'error'))
    throw clarified(await restoreFailure(source, end));
  return ltxGeneration(rows);
}
