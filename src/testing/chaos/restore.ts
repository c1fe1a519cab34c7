import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { carriedLitestream } from '../carried-litestream.ts';
import { runToEnd } from '../run-to-end.ts';
import type { S3Store } from '../s3-server.ts';
import type { Stage } from './stage.ts';

const RESTORE_TIMEOUT_MS = 120_000;

/**
 * Restores the databases of a file replica with Litestream's own binary and none of our code.
 * @param replica the folder that has one folder for each database
 * @returns a folder of the stage that holds `<database>.db`
 */
export async function restoreByHand(
  stage: Stage,
  replica: string,
  databases: readonly string[],
): Promise<string> {
  return restoreEach(stage, databases, (path, name) => ['-o', path, `file://${join(replica, name)}`]);
}

/**
 * Does the same as `restoreByHand`, from a store.
 * @param prefix of the replica in its bucket
 */
export async function restoreFromStore(
  stage: Stage,
  { bucket, endpoint, credentials }: S3Store,
  prefix: string,
  databases: readonly string[],
): Promise<string> {
  const configPath = join(stage.folder, 'restore.yml');
  return restoreEach(
    stage,
    databases,
    (path, name) => {
      const replica = { type: 's3', bucket, path: `${prefix}/${name}`, endpoint, 'force-path-style': true };
      writeFileSync(configPath, JSON.stringify({ dbs: [{ path, replicas: [replica] }] }));
      return ['-config', configPath, path];
    },
    { ...credentials },
  );
}

async function restoreEach(
  stage: Stage,
  databases: readonly string[],
  argumentsFor: (path: string, name: string) => string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const folder = join(stage.folder, 'restored');
  mkdirSync(folder, { recursive: true });
  for (const name of databases) {
    await runToEnd(
      `litestream restore of ${name}`,
      carriedLitestream() ?? 'litestream',
      ['restore', ...argumentsFor(join(folder, `${name}.db`), name)],
      { env, signal: stage.signal, timeoutMs: RESTORE_TIMEOUT_MS },
    );
  }
  return folder;
}

/** @returns how many rows of all tables are in only one of two databases */
export function differingRows(path: string, otherPath: string): number {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    db.prepare('ATTACH ? AS other').run(otherPath);
    const tables = db
      .prepare<[], string>(
        `SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         UNION SELECT name FROM other.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
      )
      .pluck()
      .all();
    return tables.reduce((sum, table) => {
      const [ours, theirs] = [`SELECT * FROM main."${table}"`, `SELECT * FROM other."${table}"`];
      const count = db.prepare<[], number>(
        `SELECT (SELECT count(*) FROM (${ours} EXCEPT ${theirs})) + (SELECT count(*) FROM (${theirs} EXCEPT ${ours}))`,
      );
      return sum + (count.pluck().get() ?? 0);
    }, 0);
  } finally {
    db.close();
  }
}
